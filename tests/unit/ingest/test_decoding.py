"""Content encodings undone in pieces, with a cap that holds for what comes out."""

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from ingest.decoding import ACCEPT_ENCODING, BodyDecoder
from ingest.errors import FetchError, TooLarge

URL = "http://h/a"
TEXT = b"The quick brown fox. " * 5000 + random.Random(1).randbytes(5000)


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


def decode(data: bytes, encoding: str, *, cap: int = 1_000_000, step: int = 1000) -> bytes:
    decoder = BodyDecoder(URL, encoding, max_bytes=cap)
    for start in range(0, len(data), step):
        decoder.feed(data[start : start + step])
    return decoder.finish()


@pytest.mark.parametrize("step", [1, 7, 1000, 10_000_000])
@pytest.mark.parametrize("encoding", sorted(ENCODERS))
def test_every_encoding_is_undone_however_it_is_cut(encoding: str, step: int) -> None:
    assert decode(ENCODERS[encoding](TEXT), encoding, step=step) == TEXT


def test_the_offer_is_what_can_be_undone() -> None:
    offered = {name.strip() for name in ACCEPT_ENCODING.split(",")}
    assert offered == set(ENCODERS)


@pytest.mark.parametrize("encoding", ["", "identity", "IDENTITY", " , "])
def test_a_body_that_is_not_encoded_stays_as_it_is(encoding: str) -> None:
    assert decode(TEXT, encoding) == TEXT


@pytest.mark.parametrize("encoding", ["GZIP", "x-gzip", " gzip ", "identity, gzip"])
def test_names_are_read_without_case_and_by_their_aliases(encoding: str) -> None:
    assert decode(gzip.compress(TEXT), encoding) == TEXT


def test_stacked_encodings_are_undone_from_the_last_to_the_first() -> None:
    assert decode(brotli.compress(gzip.compress(TEXT)), "gzip, br") == TEXT
    with pytest.raises(FetchError) as caught:
        decode(b"x", "gzip, gzip, gzip, gzip, gzip")
    assert caught.value.kind == "encoding"


def test_deflate_comes_with_and_without_its_header() -> None:
    assert decode(raw_deflate(TEXT), "deflate") == TEXT
    assert decode(raw_deflate(TEXT), "deflate", step=1) == TEXT


@pytest.mark.parametrize("step", [1, 10_000_000])
def test_gzip_members_and_zstd_frames_follow_one_another(step: int) -> None:
    assert decode(gzip.compress(b"a") + gzip.compress(b"b"), "gzip", step=step) == b"ab"
    zstd = ENCODERS["zstd"]
    assert decode(zstd(b"a") + zstd(b"b"), "zstd", step=step) == b"ab"


def test_padding_after_the_last_gzip_member_is_ignored() -> None:
    assert decode(gzip.compress(b"a") + b"\0" * 100, "gzip") == b"a"
    assert decode(gzip.compress(b"a") + b"\0", "gzip") == b"a"


@pytest.mark.parametrize("encoding", sorted(ENCODERS))
def test_an_empty_body_needs_no_stream(encoding: str) -> None:
    assert decode(b"", encoding) == b""
    assert decode(ENCODERS[encoding](b""), encoding) == b""


@pytest.mark.parametrize("encoding", sorted(ENCODERS))
def test_a_stream_that_ends_too_early_is_an_error_wherever_it_is_cut(encoding: str) -> None:
    data = ENCODERS[encoding](TEXT)
    for length in (1, 2, len(data) // 2, len(data) - 1):
        with pytest.raises(FetchError) as caught:
            decode(data[:length], encoding)
        assert caught.value.kind == "encoding"


@pytest.mark.parametrize("encoding", sorted(ENCODERS))
def test_bad_data_is_an_error(encoding: str) -> None:
    with pytest.raises(FetchError) as caught:
        decode(b"<html>this is not compressed at all</html>", encoding)
    assert caught.value.kind == "encoding"


@pytest.mark.parametrize("encoding", ["compress", "gzipp", "dcb"])
def test_an_unknown_encoding_is_an_error_that_names_it(encoding: str) -> None:
    with pytest.raises(FetchError, match=encoding) as caught:
        decode(b"x", encoding)
    assert caught.value.kind == "encoding"


@pytest.mark.promise("C6")
@pytest.mark.parametrize("encoding", ["", *sorted(ENCODERS)])
def test_the_cap_holds_to_the_byte_for_what_comes_out(encoding: str) -> None:
    data = ENCODERS[encoding](TEXT) if encoding else TEXT
    assert decode(data, encoding, cap=len(TEXT)) == TEXT
    with pytest.raises(TooLarge) as caught:
        decode(data, encoding, cap=len(TEXT) - 1)
    assert caught.value.partial == TEXT[:-1]


def bomb(encoding: str, size: int) -> bytes:
    zeros = bytes(size)
    if encoding == "br":
        return brotli.compress(zeros, quality=1)
    if encoding == "gzip, gzip":
        return gzip.compress(gzip.compress(zeros))
    return ENCODERS[encoding](zeros)


@pytest.mark.promise("C6")
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_a_bomb_ends_at_the_cap_in_bounded_memory(encoding: str) -> None:
    data = bomb(encoding, 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decode(data, encoding, cap=1_000_000, step=65_536)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.promise("C6")
def test_a_stage_between_cannot_grow_past_the_cap() -> None:
    empty_members = gzip.compress(gzip.compress(b"") * 200_000)
    with pytest.raises(TooLarge):
        decode(empty_members, "gzip, gzip", cap=100_000)
