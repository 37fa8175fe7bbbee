"""Sitemaps and feeds as lists of addresses: whole, broken, packed and hostile ones."""

import gzip
import time
import tracemalloc
from datetime import UTC, datetime

import pytest

from ingest.sitemaps import MAX_SITEMAP_BYTES, Sitemap, changed_at, read_sitemap

pytestmark = pytest.mark.promise("C3")

URL = "https://x.org/docs/sitemap.xml"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
IMAGE = 'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
A, B = "https://x.org/docs/a", "https://x.org/docs/b"
URL_A = f"<url><loc>{A}</loc></url>"
PICTURE_B = f"<image:image><image:loc>{B}.png</image:loc></image:image>"


def urlset(*locs: str, attributes: str = NS) -> str:
    return f"{HEAD}<urlset {attributes}>" + "".join(f"<url><loc>{loc}</loc></url>" for loc in locs) + "</urlset>"


def index(*locs: str) -> str:
    inner = "".join(f"<sitemap><loc>{loc}</loc><lastmod>2024-05-01</lastmod></sitemap>" for loc in locs)
    return f"{HEAD}<sitemapindex {NS}>{inner}</sitemapindex>"


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def pages(body: bytes | str, content_type: str = "application/xml") -> list[str] | None:
    found = read(body, content_type)
    return None if found is None else [page.address for page in found.pages]


def read(body: bytes | str, content_type: str = "application/xml") -> Sitemap | None:
    return read_sitemap(body if isinstance(body, bytes) else body.encode(), URL, content_type)


ENTITY = f'<!DOCTYPE urlset [<!ENTITY xxe SYSTEM "file:///etc/passwd">]>\n<urlset {NS}>'
LAUGHS = "<!DOCTYPE urlset [" + "".join(
    f'<!ENTITY lol{n} "{"&lol" + str(n - 1) + ";" if n else "lol"}{"&lol" + str(n - 1) + ";" if n else ""}">'
    for n in range(40)
)
CASES: list[tuple[str, bytes | str, list[str] | None]] = [
    ("a plain one", urlset(A, B), [A, B]),
    ("without a namespace", urlset(A, attributes=""), [A]),
    (
        "with an http namespace of another version",
        urlset(A, attributes="xmlns='http://www.google.com/schemas/sitemap/0.84'"),
        [A],
    ),
    ("with a prefix", f'<sm:urlset xmlns:sm="x"><sm:url><sm:loc>{A}</sm:loc></sm:url></sm:urlset>', [A]),
    ("upper case", f"<URLSET><URL><LOC>{A}</LOC></URL></URLSET>", [A]),
    ("white space around an address", urlset(f"\n   {A}\t\n"), [A]),
    ("the same address twice", urlset(A, B, A), [A, B]),
    ("an escaped ampersand", urlset(f"{A}?x=1&amp;y=2"), [f"{A}?x=1&y=2"]),
    ("numbers for characters", urlset("https://x.org/docs/&#x61;&#98;"), ["https://x.org/docs/ab"]),
    ("a raw ampersand", urlset(f"{A}?x=1&y=2", B), [f"{A}?x=1&y=2", B]),
    ("a raw ampersand that looks like an HTML entity", urlset(f"{A}?x=1&copy=2"), [f"{A}?x=1&copy=2"]),
    ("an address in CDATA", urlset(f"<![CDATA[{A}?x=1&y=2]]>"), [f"{A}?x=1&y=2"]),
    ("an escape in CDATA is text", urlset(f"<![CDATA[{A}?a&amp;b]]>"), [f"{A}?a&amp;b"]),
    ("an address in a comment", f"<urlset {NS}><!-- <url><loc>{B}</loc></url> -->{URL_A}</urlset>", [A]),
    ("a comment inside an address", urlset(f"<!-- x -->{A}"), [A]),
    ("a style sheet before it", f'<?xml-stylesheet href="{B}"?>{urlset(A)}', [A]),
    ("empty locations", urlset("", "  ", A), [A]),
    ("no entries", f"{HEAD}<urlset {NS}/>", []),
    ("a relative address", urlset("/docs/a", "b"), [A, B]),
    ("other schemes", urlset("file:///etc/passwd", "ftp://x.org/a", "javascript:alert(1)", "data:,x", A), [A]),
    ("a user name and password", urlset("https://u:p@x.org/docs/b", A), [A]),
    ("an image's own address", f"<urlset {NS} {IMAGE}><url><loc>{A}</loc>{PICTURE_B}</url></urlset>", [A]),
    ("an image before the address", f"<urlset {NS} {IMAGE}><url>{PICTURE_B}<loc>{A}</loc></url></urlset>", [A]),
    (
        "an inner element without a prefix",
        f"<urlset {NS}><url><loc>{A}</loc><video><loc>{B}.mp4</loc></video></url></urlset>",
        [A],
    ),
    (
        "alternates in other languages",
        f"<urlset {NS}><url><loc>{A}</loc><xhtml:link rel='alternate' hreflang='de' href='{B}'/></url></urlset>",
        [A],
    ),
    ("a byte order mark", b"\xef\xbb\xbf" + urlset(A).encode(), [A]),
    ("UTF-16 with its mark", urlset(A).replace("UTF-8", "UTF-16").encode("utf-16"), [A]),
    ("UTF-16 without a mark", urlset(A).replace("UTF-8", "UTF-16").encode("utf-16-be"), [A]),
    (
        "Latin-1 as declared",
        urlset("https://x.org/docs/ä").replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        ["https://x.org/docs/%C3%A4"],
    ),
    ("white space before the declaration", "\n\n " + urlset(A), [A]),
    ("a NUL byte", urlset(A).replace("</urlset>", "\0</urlset>"), [A]),
    ("cut off inside an address", urlset(A, B)[:-30], [A]),
    ("cut off inside a tag", urlset(A, B)[:-12] + "<ur", [A, B]),
    ("an address that is not closed", f"<urlset><url><loc>{A}</url><url><loc>{B}</loc></url></urlset>", [B]),
    ("an entry that is not closed", f"<urlset><url><loc>{A}</loc><url><loc>{B}</loc></url></urlset>", [A, B]),
    ("no entries around the addresses", f"<urlset><loc>{A}</loc><loc>{B}</loc></urlset>", [A, B]),
    ("text between entries", f"<urlset>x < y{URL_A}&nbsp;</urlset>", [A]),
    ("an external entity", f"{ENTITY}<url><loc>https://x.org/&xxe;</loc></url>{URL_A}</urlset>", [A]),
    ("a billion laughs", f"{LAUGHS}]><urlset><url><loc>https://x.org/&lol39;</loc></url>{URL_A}</urlset>", [A]),
    (
        "an entity that holds an entry",
        f"<!DOCTYPE urlset [<!ENTITY e '<url><loc>{B}</loc></url>'>]><urlset>&e;{URL_A}</urlset>",
        [A],
    ),
    ("gzip", packed(urlset(A, B)), [A, B]),
    ("gzip of two members", packed(urlset(A, B)[:150]) + packed(urlset(A, B)[150:]), [A, B]),
    ("gzip twice", gzip.compress(packed(urlset(A))), [A]),
    ("gzip with padding", packed(urlset(A)) + b"\0" * 512, [A]),
    ("lines of text", f"{A}\r\n\n  {B}  \n", [A, B]),
    ("lines of text with a mark and remarks", f"\ufeff# pages\n{A}\nnot an address\n{B}", [A, B]),
    ("lines of text in gzip", packed(f"{A}\n{B}\n"), [A, B]),
    (
        "RSS",
        "<rss version='2.0'><channel><link>https://x.org/</link><item><title>t</title>"
        f"<link>{A}</link><pubDate>x</pubDate></item></channel></rss>",
        [A],
    ),
    (
        "Atom",
        "<feed xmlns='http://www.w3.org/2005/Atom'><link href='https://x.org/'/><entry>"
        f"<link rel='edit' href='{B}'/><link href='{A}'/></entry></feed>",
        [A],
    ),
    (
        "RSS 1.0",
        "<rdf:RDF xmlns:rdf='r' xmlns='http://purl.org/rss/1.0/'>"
        f"<item rdf:about='{B}'><link>{A}</link></item></rdf:RDF>",
        [A],
    ),
    ("an index lists no pages", index(A, B), []),
    ("a page", "<!DOCTYPE html><html><body><url><loc>x</loc></url></body></html>", None),
    ("JSON", '{"loc": "https://x.org/docs/a"}', None),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", None),
    ("nothing", "", None),
    ("gzip of nothing", gzip.compress(b""), None),
    ("no gzip in spite of its first bytes", b"\x1f\x8b\x08\0garbage", None),
]


@pytest.mark.parametrize(("body", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_addresses_of_a_sitemap_are_read(body: bytes | str, expected: list[str] | None) -> None:
    assert pages(body) == expected


def test_an_index_names_sitemaps_with_their_times() -> None:
    found = read(index("/one.xml", "two.xml.gz"))
    assert found is not None
    assert [(one.address, one.modified) for one in found.sitemaps] == [
        ("https://x.org/one.xml", "2024-05-01"),
        ("https://x.org/docs/two.xml.gz", "2024-05-01"),
    ]


def test_the_time_of_a_change_is_kept_as_it_is_written() -> None:
    found = read(
        f"<urlset><url><lastmod> 2024-05-01T10:00:00Z </lastmod><loc>{A}</loc></url><url><loc>{B}</loc></url></urlset>"
    )
    assert found is not None
    assert [page.modified for page in found.pages] == ["2024-05-01T10:00:00Z", ""]


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (urlset(A), True),
        (urlset(A)[:-9], False),
        (packed(urlset(A, B)), True),
        (packed(urlset(A, B))[:-9], False),
        (packed(urlset(A, B))[:60] + b"xx" + packed(urlset(A, B))[62:], False),
    ],
)
def test_a_sitemap_that_breaks_off_says_so(body: bytes | str, whole: bool) -> None:
    found = read(body)
    assert found is None or found.whole is whole
    assert found is not None or not whole


def test_a_truncated_gzip_gives_what_stands_before_its_end() -> None:
    body = packed(urlset(*(f"https://x.org/docs/{n * 7919 % 10007}" for n in range(2_000))))
    found = read(body[: len(body) // 2])
    assert found is not None
    assert 100 < len(found.pages) < 2_000


@pytest.mark.promise("C6")
def test_a_bomb_is_read_up_to_the_cap_only() -> None:
    bomb = packed(f"<urlset>{URL_A}") + gzip.compress(b" " * (2 * MAX_SITEMAP_BYTES))
    tracemalloc.start()
    found = read(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is not None
    assert [page.address for page in found.pages] == [A]
    assert not found.whole
    assert peak < 6 * MAX_SITEMAP_BYTES


@pytest.mark.promise("C9")
@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2024-05-01T10:30:00+02:00", "2024-05-01T08:30:00+00:00"),
        ("2024-05-01T10:30:00.125Z", "2024-05-01T10:30:00.125+00:00"),
        ("2024-05-01T10:30:00", "2024-05-01T10:30:00+00:00"),
        ("2024-05-01T10:30Z", "2024-05-01T10:30:00+00:00"),
        (" 2024-05-01 ", "2024-05-02T00:00:00+00:00"),  # the page may have changed at any time of that day
        ("2024-05", "2024-06-01T00:00:00+00:00"),
        ("2023", "2024-01-02T00:00:00+00:00"),
        ("Wed, 01 May 2024 10:30:00 +0200", "2024-05-01T08:30:00+00:00"),
        ("Wed, 01 May 2024 10:30:00 GMT", "2024-05-01T10:30:00+00:00"),
    ],
)
def test_the_time_that_a_list_gives_is_read(written: str, moment: str) -> None:
    assert changed_at(written) == datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize(
    "written", ["", " ", "soon", "2024-13-01", "9999-12-31", "2099-01-01T00:00:00Z", "0000", "1e9"]
)
def test_a_time_that_cannot_be_is_none(written: str) -> None:
    assert changed_at(written) is None


def test_today_is_a_time_that_can_be() -> None:
    today = datetime.now(UTC)
    assert (changed_at(f"{today:%Y-%m-%d}") or 0) > today.timestamp()


def test_more_addresses_than_the_protocol_allows_are_read() -> None:
    found = pages(urlset(*(f"https://x.org/docs/{n}" for n in range(50_001))))
    assert found is not None
    assert len(found) == 50_001


@pytest.mark.promise("C6")
@pytest.mark.parametrize(
    "evil", ["<!--", "<![CDATA[", "<?x ", "<!DOCTYPE x [", "<", "<a:", "<url><loc>", "]]>", "&lt", "<loc "]
)
def test_no_text_takes_longer_than_its_length(evil: str) -> None:
    def seconds(times: int) -> float:
        started = time.process_time()
        read(f"<urlset>{evil * times}")
        return time.process_time() - started

    seconds(1_000)
    assert seconds(200_000) < 40 * max(seconds(20_000), 0.005)
