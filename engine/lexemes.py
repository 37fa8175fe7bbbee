"""Words on their way into a `tsvector`, in its binary form."""

import struct
from typing import Any

from psycopg import AsyncConnection
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.pq import Format

__all__ = ["Lexemes", "register_lexemes"]


class Lexemes(tuple[str, ...]):
    """Distinct words on their way into a `tsvector`, without positions."""


class _LexemesDumper(Dumper):
    """A tsvector as its binary form, which `tsvectorrecv` of PostgreSQL (tsvector.c) reads: each word, its
    end, no positions."""

    format = Format.BINARY
    oid = types["tsvector"].oid

    def dump(self, obj: Lexemes) -> bytes:
        return struct.pack("!i", len(obj)) + b"".join([word.encode() + b"\0\0\0" for word in obj])


def register_lexemes(connection: AsyncConnection[Any]) -> None:
    """Let a connection take `Lexemes`."""
    connection.adapters.register_dumper(Lexemes, _LexemesDumper)
