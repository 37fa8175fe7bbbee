"""Which addresses may be dialled."""

import pytest

from ingest.addresses import AddressPolicy, address_kind

PUBLIC = (
    "93.184.216.34",
    "8.8.8.8",
    "2606:2800:220:1:248:1893:25c8:1946",
    "::ffff:93.184.216.34",
    "172.32.0.1",
)
NEVER = (
    "169.254.169.254", "169.254.1.1", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "100.64.0.1",
    "fe80::1", "fe80::1%eth0", "fec0::1", "224.0.0.1", "239.255.255.250", "ff02::1", "0.1.2.3", "192.0.0.1",
    "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1", "255.255.255.255",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "::127.0.0.1", "::ffff:0:127.0.0.1",
    "2001:db8::1", "100::1", "::ffff:169.254.169.254", "3fff::1",
)  # fmt: skip
LOCAL = (
    "127.0.0.1", "127.8.8.8", "::1", "10.0.0.5", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12::1",
    "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.5",
)  # fmt: skip


@pytest.mark.promise("C7")
@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_dialled(address: str) -> None:
    assert AddressPolicy().refusal("docs.example.org", 443, address) is None


@pytest.mark.promise("C7")
@pytest.mark.parametrize("address", NEVER + LOCAL)
def test_a_special_address_is_refused_without_saying_which_it_is(address: str) -> None:
    reason = AddressPolicy().refusal("docs.example.org", 80, address)
    assert reason is not None
    assert address not in reason


@pytest.mark.promise("C7")
@pytest.mark.parametrize("address", LOCAL)
def test_a_local_address_may_be_dialled_only_as_the_allowed_host_and_port(address: str) -> None:
    policy = AddressPolicy([("docs.corp", 8000)])
    assert policy.refusal("docs.corp", 8000, address) is None
    assert policy.refusal("docs.corp", 8001, address) is not None
    assert policy.refusal("other.corp", 8000, address) is not None


@pytest.mark.promise("C7")
@pytest.mark.parametrize("address", NEVER)
def test_an_allowed_origin_does_not_open_metadata_or_reserved_addresses(address: str) -> None:
    assert AddressPolicy([("docs.corp", 80)]).refusal("docs.corp", 80, address) is not None


def test_the_host_of_an_allowed_origin_is_compared_without_case_and_brackets() -> None:
    assert AddressPolicy([("[::1]", 80)]).refusal("::1", 80, "::1") is None
    assert AddressPolicy([("LocalHost", 80)]).refusal("localhost", 80, "127.0.0.1") is None


@pytest.mark.promise("C7")
@pytest.mark.parametrize(
    ("addresses", "allowed"),
    [
        (["127.0.0.1"], True),
        (["::1", "127.0.0.1"], True),
        (["10.1.2.3"], True),
        (["93.184.216.34"], False),
        (["93.184.216.34", "10.1.2.3"], False),
        (["169.254.169.254"], False),
        ([], False),
    ],
)
def test_a_start_allows_its_own_origin_where_all_its_addresses_are_local(addresses: list[str], allowed: bool) -> None:
    policy = AddressPolicy.for_start("start.test", 8080, addresses)
    assert (policy.refusal("start.test", 8080, "127.0.0.1") is None) is allowed


def test_the_kind_of_an_address_is_named() -> None:
    kinds = {address_kind(address) for address in NEVER + LOCAL}
    assert None not in kinds
    assert address_kind("127.0.0.1") == "loopback"
    assert address_kind("169.254.169.254") == "metadata"
    assert address_kind("8.8.8.8") is None
