"""The crawler's ledger in Postgres: the frontier and the fetch facts of one crawl of one entity."""

import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from engine.clean import clean_json, clean_text, digest
from engine.database import Connection, Database
from engine.departures import missing_after, state_after
from engine.errors import EngineError
from engine.failures import store_error
from engine.freshness import is_due
from engine.queries import query

__all__ = ["CRAWL_LOCK", "LedgerPage", "PostgresLedger", "Visited"]

BATCH = 1_000
CRAWL_LOCK = 0x43_52  # "CR": with the entity's id, held for as long as a crawl of it runs
LOCK_TIMEOUT = "2s"
UNCHANGED = 32  # pages settled in one transaction ...
UNCHANGED_SECONDS = 1.0  # ... for which the first of them waits: a killed crawl visits them again


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """One known address, with what its last visit left."""

    url: str
    address: str
    depth: int
    stored: bool
    etag: str | None
    last_modified: str | None
    content_hash: str | None
    extractor: str | None
    links: Sequence[str]
    gone: bool


@dataclass(frozen=True, slots=True)
class Visited:
    """What is known of a page from its visits."""

    stored: bool
    missed: bool
    extractor: str | None
    last_modified: str | None
    changed_at: datetime | None
    fetched_at: datetime | None
    listed_at: datetime | None


class PostgresLedger:
    """One crawl's view of the `page` table. What the store holds is written by the page swap, not here."""

    def __init__(self, database: Database, connection: Connection, entity: int, name: str, run_id: str) -> None:
        self._database = database
        self._held = connection  # its transaction keeps the crawl's lock for as long as this process lives
        self._entity = entity
        self._locking = sql.SQL("SET LOCAL lock_timeout = {}; SELECT pg_advisory_xact_lock({}, {})").format(
            LOCK_TIMEOUT, CRAWL_LOCK, entity % 2**31
        )
        self._name = name
        self._run = run_id
        self._crawl = 0
        self._gone: set[str] = set()  # taken, and found gone by an earlier crawl
        self._unwritten: list[dict[str, object]] = []  # pages that are unchanged ...
        self._since = 0.0  # ... and when the first of them was settled
        self.resumed = False
        """True where the last crawl with the same options was cut off, and this one goes on with it."""

    async def begin(self, options: Mapping[str, object], incidental: Collection[str] = ()) -> None:
        """Take the crawl's lock and its number; EngineError where another process is crawling the entity."""
        try:
            # The server takes a moment to notice that a killed process, and with it its lock, is gone.
            # And a statement with values would keep its snapshot until the next one, which here holds up vacuum.
            await self._held.execute(self._locking)
        except psycopg.errors.LockNotAvailable:
            raise EngineError(f"{self._name} is being crawled by another process: wait for it, or stop it.") from None
        except psycopg.Error as error:
            raise store_error(error, self._database.where) from error
        (begun,) = await self._rows("begin_crawl", options=Jsonb(clean_json(options)), incidental=list(incidental))
        self._crawl, self.resumed = begun["crawl"], bool(begun["resumed"])

    async def end(self, *, finished: bool) -> None:
        """Let go of the crawl. An unfinished one is gone on with by the next run with the same options."""
        try:
            await self._write_settled()
            if finished:
                await self._rows("end_crawl")
        finally:
            # A closed session's lock is gone only once the server has noticed; the next crawl may begin before.
            with suppress(psycopg.Error):  # a broken session holds no lock
                await self._held.execute("ROLLBACK")
            await self._held.close()

    async def known(self) -> AsyncIterator[Sequence[tuple[str, str, int]]]:
        """Every page that the entity's ledger knows, as (url, address, depth), in order of discovery."""
        after = -1
        while True:
            rows = await self._rows("known_pages", after=after, count=BATCH)
            if not rows:
                return
            after = rows[-1]["seq"]
            yield [(row["url"], row["address"], row["depth"]) for row in rows]

    async def revisit(self, known: Sequence[tuple[str, str, int]], *, extractor: str | None = None) -> None:
        """Take pages of earlier crawls up again; with `extractor`, those that are not due are settled as they are."""
        hashes = [digest(clean_text(url)) for url, _, _ in known]
        due = dict.fromkeys(hashes, True)
        if extractor is not None and hashes:
            now = datetime.now(UTC)
            for row in await self._rows("visited_pages", crawl=self._crawl, hashes=hashes):
                key = row.pop("url_hash")
                due[key] = is_due(Visited(**row), extractor=extractor, now=now)
        if due:
            await self._rows("revisit", crawl=self._crawl, hashes=list(due), due=list(due.values()))

    async def discover(
        self, found: Sequence[tuple[str, str, int]], *, listed: Mapping[str, float] | None = None
    ) -> None:
        """Add (url, address, depth) to the frontier: something names them. What this crawl knows already is left
        alone, but that it comes nearer, and is due where `listed` says that it changed since it was fetched."""
        first: dict[str, tuple[str, int]] = {}
        for url, address, depth in found:
            first.setdefault(clean_text(url), (clean_text(address), depth))
        times = {clean_text(url): moment for url, moment in (listed or {}).items()}
        if first:
            await self._rows(
                "discover",
                crawl=self._crawl,
                urls=list(first),
                hashes=[digest(url) for url in first],
                addresses=[address for address, _ in first.values()],
                depths=[depth for _, depth in first.values()],
                listed=[times.get(url) for url in first],
            )

    async def take(self, count: int, *, max_depth: int | None = None) -> Sequence[LedgerPage]:
        """The next addresses in order of discovery, each taken once in this run."""
        rows = await self._rows("take", crawl=self._crawl, run=self._run, count=count, max_depth=max_depth)
        rows.sort(key=lambda row: row.pop("seq"))
        self._gone.update(row["url"] for row in rows if row["gone"])
        return [LedgerPage(**row) for row in rows]

    async def settle(self, url: str, outcome: str, reason: str, facts: Mapping[str, object]) -> None:
        """This crawl is done with `url` without storing it. What the store holds of the page stays for now; with
        the fact `gone`, until `retire_pages`. That a page is as it was is written with others."""
        links: Any = facts.get("links")
        metadata = facts.get("metadata")
        if not self._unwritten:
            self._since = time.monotonic()
        visit = {
            "entity": self._entity,
            "crawl": self._crawl,
            "url_hash": digest(clean_text(url)),
            "state": state_after(outcome, facts),
            "missing": missing_after(outcome, facts),
            "keep": outcome in ("unchanged", "failed", "quarantined"),
            "reason": clean_text(reason),
            "missed": outcome != "unchanged",
            "links": None if links is None else [clean_text(link) for link in links],
            "metadata": None if metadata is None else Jsonb(clean_json(metadata)),
            "etag": _text(facts.get("etag")),
            "last_modified": _text(facts.get("last_modified")),
            "fetched_at": facts.get("fetched_at"),
        }
        self._unwritten.append(visit)
        late = len(self._unwritten) == UNCHANGED or time.monotonic() - self._since > UNCHANGED_SECONDS
        if late or outcome != "unchanged" or url in self._gone:
            await self._write_settled()
        alias_of = facts.get("alias_of")
        if isinstance(alias_of, str):
            await self._rows("add_alias", url_hash=digest(clean_text(alias_of)), alias=clean_text(url))

    async def holder(self, content_hash: str) -> str | None:
        """The page that the store holds with this content."""
        rows = await self._rows("holder", content_hash=content_hash)
        return rows[0]["url"] if rows else None

    async def waiting(self) -> int:
        """Addresses of this crawl's frontier that are not settled."""
        return int((await self._rows("waiting", crawl=self._crawl))[0]["n"])

    async def counted(self) -> int:
        """Pages that this crawl has stored or found unchanged, earlier runs of it included."""
        return int((await self._rows("counted", crawl=self._crawl))[0]["n"])

    async def passed_over(self) -> int:
        """Pages that this crawl left alone, as not due."""
        return int((await self._rows("passed_over", crawl=self._crawl))[0]["n"])

    async def mark_orphans(self) -> int:
        """Mark the stored pages that this crawl found alive and nothing in it names; how many they are."""
        return int((await self._rows("mark_orphans", crawl=self._crawl))[0]["n"])

    async def _write_settled(self) -> None:
        visits, self._unwritten = self._unwritten, []
        if not visits:
            return

        async def write(connection: Connection) -> None:
            async with connection.cursor() as cursor:
                await cursor.executemany(query("settle"), visits)

        await self._database.transact(write)

    async def _rows(self, name: str, **values: object) -> list[dict[str, Any]]:
        if name != "discover":  # which neither reads nor changes what a visit found
            await self._write_settled()
        return await self._database.fetch(query(name), {"entity": self._entity, **values})


def _text(fact: object) -> str | None:
    return clean_text(fact) if isinstance(fact, str) else None
