"""How an entity may be called and asked for, and what is said where there is none."""

import pytest

from engine.errors import InvalidRecord
from engine.names import check_name, spellings, unknown_entity, unknown_name


@pytest.mark.parametrize("name", ["", "  ", "a\0", "a\nb", "\x7f", "x" * 8_001, None, 3])
def test_a_name_of_an_entity_is_text_without_control_characters(name: object) -> None:
    with pytest.raises(InvalidRecord, match="The name"):
        check_name("name", name)


def test_a_name_may_be_a_long_url() -> None:
    assert check_name("name", "https://x.org/" + "a" * 7_000).startswith("https://x.org/")


def test_an_entity_is_asked_for_by_its_name_or_by_the_url_it_was_crawled_from() -> None:
    names = spellings("https://x.org/")
    assert names[0] == "https://x.org/"
    assert {"https://x.org", "CRAWL_https://x.org", "CRAWL_https://x.org/"} <= set(names)


def test_an_error_lists_the_nearest_first_and_not_more_than_a_message_holds() -> None:
    known = [f"site number {number}" for number in range(40)] + ["handbook"]
    message = str(unknown_name("handbok", known))
    assert "Known: handbook, site number 0, " in message
    assert message.endswith("site number 8 and 31 more.")


def test_an_unknown_entity_is_told_from_its_connection_s_others() -> None:
    known = [("crm", "users"), ("erp", "orders")]
    assert "Known: users." in str(unknown_entity("crm", "user", known))
    assert "Known: orders (connection erp), users (connection crm)." in str(unknown_entity("hr", "order", known[::-1]))
