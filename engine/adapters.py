"""The types that a connection takes besides psycopg's own: pgvector's, and values that were packed already."""

from typing import Any

from pgvector.psycopg import register_vector_async
from psycopg import AsyncConnection
from psycopg.adapt import Dumper
from psycopg.pq import Format

from engine.packing import Packed

__all__ = ["register_types"]


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return obj


async def register_types(connection: AsyncConnection[Any]) -> None:
    """Let a connection take them."""
    await register_vector_async(connection)
    connection.adapters.register_dumper(Packed, _PackedDumper)
