"""Writing: records and whole pages into an entity, each write one transaction (promise E1)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from engine.alignment import align
from engine.bulk import copy_records, move_records
from engine.clean import canonical, digest
from engine.database import Connection
from engine.models import PageInput, SyncReport
from engine.queries import query
from engine.rows import Row, pages_of, taken_id

__all__ = ["PageRows", "page_rows", "write_pages", "write_records"]


@dataclass(frozen=True, slots=True)
class PageRows:
    """A page with its records as rows; `values` is its own row."""

    url: str
    values: Mapping[str, object]
    rows: Sequence[Row]


@dataclass(slots=True)
class _Changes:
    """What one transaction does to the record table."""

    added: list[tuple[int | None, Row]] = field(default_factory=list)
    replaced: list[tuple[int, int | None, Row]] = field(default_factory=list)
    moved: list[tuple[int, int | None, Row]] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    unchanged: int = 0
    shifted: int = 0


def page_rows(pages: Sequence[PageInput]) -> list[PageRows]:
    """Check and prepare pages; InvalidRecord where one is malformed, or an external id or page twice."""
    return [PageRows(page.url, _page_values(page), rows) for page, rows in pages_of(pages)]


async def write_records(
    connection: Connection, entity: int, rows: Sequence[Row], *, keep_pages: bool = False
) -> SyncReport:
    """Insert or replace `rows` by external id; the entity's other records stay. The caller holds its lock.

    A record that is replaced leaves its page, unless `keep_pages`.
    """
    cursor = await connection.execute(
        query("records_by_hash"), {"entity": entity, "hashes": [row.external_hash for row in rows]}
    )
    held = {row["external_id"]: row for row in await cursor.fetchall()}
    changes = _Changes()
    for row in rows:
        old = held.get(row.external_id)
        if old is None:
            changes.added.append((None, row))
        else:
            _change(changes, old, old["page_id"] if keep_pages else None, row)
    return await _apply(connection, entity, changes)


async def write_pages(connection: Connection, entity: int, pages: Sequence[PageRows]) -> SyncReport:
    """Swap whole pages: their ledger rows, and the old records for the new ones, aligned by content.

    The caller holds the entity's lock. Raises InvalidRecord where another of its pages has an external id.
    """
    page_ids = await _write_page_rows(connection, entity, pages)
    cursor = await connection.execute(query("records_of_pages"), {"pages": page_ids})
    held: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in await cursor.fetchall():
        held[row["page_id"]].append(row)
    await _check_ids(connection, entity, page_ids, pages, held)
    changes = _Changes()
    for page_id, page in zip(page_ids, pages, strict=True):
        old = held[page_id]
        pairs, gone, fresh = align([row["content_hash"] for row in old], [row.content_hash for row in page.rows])
        for old_place, new_place in pairs:
            _change(changes, old[old_place], page_id, page.rows[new_place])
        changes.deleted.extend(old[place]["id"] for place in gone)
        changes.added.extend((page_id, page.rows[place]) for place in fresh)
    return await _apply(connection, entity, changes)


async def _write_page_rows(connection: Connection, entity: int, pages: Sequence[PageRows]) -> list[int]:
    ids: list[int] = []
    async with connection.cursor() as cursor:
        await cursor.executemany(
            query("swap_page"), [{"entity": entity, **page.values} for page in pages], returning=True
        )
        async for result in cursor.results():
            ids.extend(row["id"] for row in await result.fetchall())
    return ids


async def _check_ids(
    connection: Connection,
    entity: int,
    page_ids: Sequence[int],
    pages: Sequence[PageRows],
    held: Mapping[int, Sequence[Mapping[str, Any]]],
) -> None:
    """InvalidRecord where a new external id belongs to a record that is not swapped here."""
    own = {row["external_id"] for rows in held.values() for row in rows}
    new = {row.external_id: (row, page) for page in pages for row in page.rows if row.external_id not in own}
    if not new:
        return
    cursor = await connection.execute(
        query("held_elsewhere"),
        {"entity": entity, "hashes": [row.external_hash for row, _ in new.values()], "pages": page_ids},
    )
    taken = await cursor.fetchone()
    if taken is not None:
        raise taken_id(taken["external_id"], new[taken["external_id"]][1].url, taken["url"])


def _change(changes: _Changes, old: Mapping[str, Any], page_id: int | None, row: Row) -> None:
    place = (
        old["external_id"],
        old["position"],
        None if old["span_start"] is None else (old["span_start"], old["span_end"]),
        old["anchor"],
        tuple(old["headings"]),
        tuple(old["terms"]),
        old["embed_hash"],
        old["weight"],
        canonical(old["data"]),
    )
    if old["content_hash"] == row.content_hash and place == row.place() and old["page_id"] == page_id:
        changes.unchanged += 1
    elif (old["content_hash"], old["embed_hash"], tuple(old["headings"]), tuple(old["terms"])) == (
        row.content_hash,
        row.embed_hash,
        row.headings,
        row.terms,
    ):
        changes.moved.append((old["id"], page_id, row))
        changes.shifted += (old["external_id"], old["position"]) != (row.external_id, row.position)
    else:
        changes.replaced.append((old["id"], page_id, row))


async def _apply(connection: Connection, entity: int, changes: _Changes) -> SyncReport:
    if changes.deleted:
        await connection.execute(query("delete_records"), {"ids": changes.deleted})
    if changes.moved:
        await move_records(connection, changes.moved)
    if changes.replaced:
        async with connection.cursor() as cursor:
            await cursor.executemany(
                query("replace_record"), [{"id": key, **_values(page, row)} for key, page, row in changes.replaced]
            )
    if changes.added:
        await copy_records(connection, entity, changes.added)
    return SyncReport(
        added=len(changes.added),
        updated=len(changes.replaced) + len(changes.moved) - changes.shifted,
        moved=changes.shifted,
        unchanged=changes.unchanged,
        deleted=len(changes.deleted),
    )


def _values(page: int | None, row: Row) -> dict[str, object]:
    start, end = row.span if row.span is not None else (None, None)
    lexemes, bm25 = row.text_index or (None, None)
    return {
        "page": page,
        "external_id": row.external_id,
        "external_hash": row.external_hash,
        "data": Jsonb(row.data),
        "content": row.content,
        "embed_text": row.embed_text,
        "content_hash": row.content_hash,
        "embed_hash": row.embed_hash,
        "position": row.position,
        "span_start": start,
        "span_end": end,
        "anchor": row.anchor,
        "headings": list(row.headings),
        "terms": list(row.terms),
        "weight": row.weight,
        "lexemes": lexemes,
        "bm25": bm25,
    }


def _page_values(page: PageInput) -> dict[str, object]:
    """The ledger row of a stored page, as its statement takes it."""
    return {
        "url": page.url,
        "url_hash": digest(page.url),
        "aliases": list(page.aliases),
        "etag": page.etag,
        "last_modified": page.last_modified,
        "content_hash": page.content_hash,
        "metadata": Jsonb(page.metadata),
        "markdown": page.markdown,
        "anchors": Jsonb(page.anchors),
        "links": list(page.links),
        "depth": page.depth,
        "extractor": page.extractor,
        "chunk_settings": page.chunk_settings,
        "fetched_at": datetime.fromtimestamp(page.fetched_at, UTC),
    }
