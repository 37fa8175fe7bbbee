"""Bytes to text, against cases of the encoding standard."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from ingest.charset import decode_text, media_type, sniff_encoding


def test_every_case_of_the_encoding_standard_is_decoded_as_it_demands(corpus: Callable[[str], Any]) -> None:
    wrong = []
    for case in corpus("charset.json"):
        body = base64.b64decode(case["body_b64"])
        name, text = sniff_encoding(body, case["content_type"]), decode_text(body, case["content_type"])
        if name != case["expect_encoding"] or case["must_contain"] not in text:
            wrong.append((case["name"], name, text[:80]))
    assert wrong == []


def test_every_label_of_the_encoding_standard_is_known(corpus: Callable[[str], Any]) -> None:
    labels = corpus("whatwg_labels.json")
    found = {label: sniff_encoding(b"<p>x</p>", f"text/html; charset={label}") for label in labels}
    assert found == labels


def test_the_byte_order_mark_is_not_part_of_the_text() -> None:
    assert decode_text(b"\xef\xbb\xbfa") == "a"
    assert decode_text(b"\xff\xfea\x00") == "a"


def test_a_declaration_after_the_first_1024_bytes_does_not_count() -> None:
    late = b"<!--" + b"x" * 1024 + b"--><meta charset=koi8-r>\xcf"
    assert sniff_encoding(late) == "windows-1252"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"<meta content='text/html; charset=koi8-r' http-equiv=content-type>\xe9", "koi8-r"),
        (b"<META CHARSET = koi8-r >\xe9", "koi8-r"),
        (b"<meta name=x charset='koi8-r'/>\xe9", "koi8-r"),
        (b"<meta\tcharset=koi8-r>\xe9", "koi8-r"),
        (b"<metadata charset=koi8-r>\xe9", "windows-1252"),
        (b"<p title='<meta charset=koi8-r>'>\xe9", "windows-1252"),
        (b"<!--><meta charset=koi8-r>\xe9", "koi8-r"),
        (b"<?php <meta charset=koi8-r>\xe9", "windows-1252"),
        (b"<meta content='text/html; charset=koi8-r'>\xe9", "windows-1252"),
        (b"<meta charset=nonsense><meta charset=koi8-r>\xe9", "koi8-r"),
        (b"<meta charset='koi8-r", "utf-8"),
    ],
)
def test_a_meta_declaration_is_read_as_browsers_read_it(head: bytes, name: str) -> None:
    assert sniff_encoding(head) == name


def test_no_input_takes_the_prescan_long() -> None:
    for unit in (b"<", b"<meta ", b"<a b=", b"<!--", b"<a '\"", b"< ", b"<meta charset="):
        assert sniff_encoding(unit * 1024) == "utf-8"


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("text/html; charset=utf-8", "text/html"),
        (" Text/HTML ", "text/html"),
        ("", ""),
        ("html", ""),
        ("text/html, text/html", "text/html"),
        (";charset=x", ""),
    ],
)
def test_the_media_type_is_what_stands_before_the_parameters(header: str, kind: str) -> None:
    assert media_type(header) == kind
