"""Which network addresses a crawl may dial: public ones, and its own start if it is local (promise C7)."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["AddressPolicy", "address_kind"]

# The first row that holds the address names it. Python's `is_global` alone is not enough: it calls the
# translated ranges (64:ff9b::/96, 6to4), fec0::/10, ::127.0.0.1 and multicast global.
_SPECIAL: tuple[tuple[str, str], ...] = (
    ("metadata", "169.254.169.254/32"),
    ("metadata", "100.100.100.200/32"),
    ("metadata", "168.63.129.16/32"),
    ("metadata", "fd00:ec2::254/128"),
    ("unspecified", "0.0.0.0/32"),
    ("unspecified", "::/128"),
    ("loopback", "127.0.0.0/8"),
    ("loopback", "::1/128"),
    ("link-local", "169.254.0.0/16"),
    ("link-local", "fe80::/10"),
    ("private", "10.0.0.0/8"),
    ("private", "172.16.0.0/12"),
    ("private", "192.168.0.0/16"),
    ("private", "fc00::/7"),
    ("site-local", "fec0::/10"),
    ("carrier-grade NAT", "100.64.0.0/10"),
    ("multicast", "224.0.0.0/4"),
    ("multicast", "ff00::/8"),
    ("translated", "::/96"),
    ("translated", "::ffff:0:0:0/96"),
    ("translated", "64:ff9b::/96"),
    ("translated", "64:ff9b:1::/48"),
    ("translated", "2001::/32"),
    ("translated", "2002::/16"),
    ("reserved", "0.0.0.0/8"),
    ("reserved", "192.0.0.0/24"),
    ("reserved", "192.0.2.0/24"),
    ("reserved", "192.88.99.0/24"),
    ("reserved", "198.18.0.0/15"),
    ("reserved", "198.51.100.0/24"),
    ("reserved", "203.0.113.0/24"),
    ("reserved", "240.0.0.0/4"),
    ("reserved", "100::/64"),
    ("reserved", "2001:db8::/32"),
    ("reserved", "3fff::/20"),
    ("reserved", "5f00::/16"),
)
_NETWORKS: tuple[tuple[str, IPv4Network | IPv6Network], ...] = tuple(
    (kind, ip_network(network)) for kind, network in _SPECIAL
)
# What "a loopback or private start URL" may mean; 0.0.0.0 is what many local servers print as their address.
_LOCAL = frozenset({"loopback", "private", "unspecified"})


def address_kind(address: str) -> str | None:
    """The special-purpose kind of an IP address (IANA registries, RFC 6890); None if it is public."""
    ip: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    for kind, network in _NETWORKS:
        if ip.version == network.version and ip in network:
            return kind
    return None if ip.is_global else "reserved"


class AddressPolicy:
    """Decides for each resolved address whether it may be dialled.

    Public addresses may. A loopback or private one may only as an allowed origin, a pair (host as in the URL,
    port); link-local, metadata, multicast, translated and reserved addresses never.
    """

    def __init__(self, allowed_origins: Iterable[tuple[str, int]] = ()) -> None:
        self.allowed_origins = frozenset((_bare(host), port) for host, port in allowed_origins)

    @classmethod
    def for_start(cls, host: str, port: int, addresses: Iterable[str]) -> "AddressPolicy":
        """The policy of a crawl from `host:port`: its origin is allowed if all its addresses are local."""
        kinds = [address_kind(address) for address in addresses]
        local = bool(kinds) and all(kind in _LOCAL for kind in kinds)
        return cls([(host, port)] if local else [])

    def refusal(self, host: str, port: int, address: str) -> str | None:
        """Why `address`, resolved for `host:port`, may not be dialled, or None if it may.

        The sentence names the kind of address and never the address: a page must not learn what names resolve
        to.
        """
        kind = address_kind(address)
        if kind is None or (kind in _LOCAL and (_bare(host), port) in self.allowed_origins):
            return None
        if kind in _LOCAL:
            return (
                f"refused, because its host has a {kind} address; a crawl reaches such an address "
                "only at the host and port of its own start URL"
            )
        return f"refused, because its host has a {kind} address, which no crawl may reach"


def _bare(host: str) -> str:
    return host.strip("[]").lower()
