"""Content-Encoding undone piece by piece, so that a bomb ends at the cap and not in the memory.

gzip with several members (RFC 1952), deflate with and without its zlib header (RFC 1950, 1951), br (RFC
7932), zstd with several frames (RFC 8878, window as in RFC 9659), and stacks of them (RFC 9110 section 8.4).
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli
import zstandard

from ingest.errors import FetchError, TooLarge

__all__ = ["ACCEPT_ENCODING", "BodyDecoder"]

ACCEPT_ENCODING = "zstd, br, gzip, deflate"
"""What a request may offer: exactly what `BodyDecoder` undoes."""

_PIECE = 65_536  # most bytes that a stage hands on at once
_ZSTD_INPUT = 64  # a zstd block of 4 bytes may hold 128 KiB: 64 bytes of input make at most about 2 MiB of output
_ZSTD_WINDOW = 8 * 1024 * 1024  # RFC 9659: more must not be asked of a browser, nor of us
_MAX_STAGES = 4


class BodyDecoder:
    """Collects one response body: `feed` it the bytes of the wire, `finish` gives the decoded whole.

    No stage of a stack of encodings may yield more than `max_bytes`, so that the time is bounded as well as
    the memory. Raises `TooLarge` when the cap is passed, and `FetchError` of kind `encoding` for an unknown
    encoding, for bad data, and for a stream that ends too early.
    """

    def __init__(self, url: str, content_encoding: str, *, max_bytes: int) -> None:
        self._url = url
        self._max_bytes = max_bytes
        self._body = bytearray()
        names = [name.strip().lower() for name in content_encoding.split(",")]
        self._stages = [self._stage(name) for name in reversed(names) if name not in ("", "identity")]
        if len(self._stages) > _MAX_STAGES:
            raise self._error(f"its body is encoded {len(self._stages)} times; at most {_MAX_STAGES} are undone")
        self._yielded = [0] * len(self._stages)

    @property
    def body(self) -> bytes:
        """What has been decoded so far."""
        return bytes(self._body)

    def feed(self, data: bytes) -> None:
        """Decode the next bytes of the wire."""
        for piece in self._through(0, data):
            room = self._max_bytes - len(self._body)
            self._body += piece[:room]
            if len(piece) > room:
                raise self._too_large()

    def finish(self) -> bytes:
        """The whole body; an error if a stage still waits for the end of its stream."""
        if not all(stage.complete for stage in self._stages):
            raise self._error("its compressed body ends too early", transient=True)
        return self.body

    def _through(self, depth: int, data: bytes) -> Iterator[bytes]:
        if depth == len(self._stages):
            yield data
            return
        for piece in self._pieces(depth, data):
            self._yielded[depth] += len(piece)
            yield from self._through(depth + 1, piece)
            if self._yielded[depth] > self._max_bytes:
                raise self._too_large()

    def _pieces(self, depth: int, data: bytes) -> Iterator[bytes]:
        try:
            yield from self._stages[depth].decode(data)
        except (zlib.error, brotli.error, zstandard.ZstdError) as error:
            raise self._error(f"its body is not what its Content-Encoding says: {error}") from error

    def _stage(self, name: str) -> "_Stage":
        if name in ("gzip", "x-gzip"):
            return _Gzip()
        if name == "deflate":
            return _Deflate()
        if name == "br":
            return _Brotli()
        if name == "zstd":
            return _Zstd()
        raise self._error(f"its body has the unknown Content-Encoding {name[:40]!r}")

    def _error(self, reason: str, *, transient: bool = False) -> FetchError:
        return FetchError(self._url, "encoding", reason, transient=transient)

    def _too_large(self) -> TooLarge:
        reason = f"its body is larger than {self._max_bytes:,} bytes when decoded"
        return TooLarge(self._url, reason, partial=self.body)


class _Stage(Protocol):
    @property
    def complete(self) -> bool:
        """False while the stream has begun and its end has not been seen."""

    def decode(self, data: bytes) -> Iterator[bytes]: ...


class _Gzip:
    """Members one after another; what follows the last one and is no member is padding, and ignored."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None
        self._ahead = b""
        self._members = 0

    @property
    def complete(self) -> bool:
        return self._member is None and (self._members > 0 or not self._ahead)

    def decode(self, data: bytes) -> Iterator[bytes]:
        data, self._ahead = self._ahead + data, b""
        while data:
            if self._member is None:
                if len(data) < 2:
                    self._ahead = data
                    return
                if self._members and not data.startswith(b"\x1f\x8b"):
                    return
                self._member = zlib.decompressobj(31)
            yield from _inflate(self._member, data)
            data = b""
            if self._member.eof:
                data, self._member = self._member.unused_data, None
                self._members += 1


class _Deflate:
    """zlib or raw deflate, told apart by the two bytes of the zlib header; what follows it is ignored."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._ahead = b""

    @property
    def complete(self) -> bool:
        return not self._ahead if self._stream is None else self._stream.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data, self._ahead = self._ahead + data, b""
            if len(data) < 2:
                self._ahead = data
                return
            has_header = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(15 if has_header else -15)
        if not self._stream.eof:
            yield from _inflate(self._stream, data)


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self._begun = False

    @property
    def complete(self) -> bool:
        return not self._begun or bool(self._stream.is_finished())

    def decode(self, data: bytes) -> Iterator[bytes]:
        while not self._stream.is_finished():
            self._begun = self._begun or bool(data)
            piece = self._stream.process(data, output_buffer_limit=_PIECE)
            yield piece
            # All input taken does not mean all output given: the window may hold more of it.
            data = b""
            if not piece and self._stream.can_accept_more_data():
                return


class _Zstd:
    """Frames one after another; anything else after a frame is bad data."""

    def __init__(self) -> None:
        self._frame: zstandard.ZstdDecompressionObj | None = None

    @property
    def complete(self) -> bool:
        return self._frame is None

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_INPUT):
            slice_ = data[start : start + _ZSTD_INPUT]
            while slice_:
                if self._frame is None:
                    self._frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
                yield self._frame.decompress(slice_)
                slice_ = b""
                if self._frame.eof:
                    slice_, self._frame = self._frame.unused_data, None


def _inflate(stream: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    while not stream.eof:
        piece = stream.decompress(data, _PIECE)
        data = stream.unconsumed_tail
        yield piece
        if not data and len(piece) < _PIECE:
            return
