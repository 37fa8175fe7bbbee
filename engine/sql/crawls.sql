-- name: begin_crawl
UPDATE syncline.entity SET
    crawl = entity.crawl + (NOT old.resumed)::int, crawl_options = %(options)s::jsonb, crawl_finished = false
FROM (
    SELECT id, NOT crawl_finished
        AND crawl_options - %(incidental)s::text[] IS NOT DISTINCT FROM %(options)s::jsonb - %(incidental)s::text[] AS resumed
    FROM syncline.entity WHERE id = %(entity)s
) AS old
WHERE entity.id = old.id
RETURNING entity.crawl, old.resumed;

-- name: end_crawl
UPDATE syncline.entity SET crawl_finished = true WHERE id = %(entity)s;

-- name: known_pages
SELECT seq, url, address, depth FROM syncline.page
WHERE entity_id = %(entity)s AND seq > %(after)s ORDER BY seq LIMIT %(count)s;

-- name: visited_pages
SELECT url_hash, content_hash IS NOT NULL AS stored, missed, extractor, last_modified, changed_at, fetched_at, listed_at
FROM syncline.page WHERE entity_id = %(entity)s AND url_hash = ANY(%(hashes)b) AND crawl < %(crawl)s;

-- name: revisit
UPDATE syncline.page SET
    crawl = %(crawl)s, settled = CASE WHEN known.due THEN settled ELSE %(crawl)s END,
    passed = CASE WHEN known.due THEN passed ELSE %(crawl)s END
FROM unnest(%(hashes)s::bytea[], %(due)s::boolean[]) AS known (url_hash, due)
WHERE page.entity_id = %(entity)s AND page.url_hash = known.url_hash AND page.crawl < %(crawl)s;

-- name: discover
INSERT INTO syncline.page (entity_id, url, url_hash, address, depth, crawl, named, listed_at)
SELECT %(entity)s, found.url, found.url_hash, found.address, found.depth, %(crawl)s, %(crawl)s, to_timestamp(found.listed)
FROM unnest(%(urls)s::text[], %(hashes)s::bytea[], %(addresses)s::text[], %(depths)s::int[], %(listed)s::float8[])
     WITH ORDINALITY AS found (url, url_hash, address, depth, listed, place)
LEFT JOIN syncline.page AS known ON known.entity_id = %(entity)s AND known.url_hash = found.url_hash
-- Even a row that stays as it is would be locked, and a page swap may be writing it.
WHERE known.id IS NULL OR known.crawl < %(crawl)s OR known.named < %(crawl)s OR known.depth > found.depth
   OR (found.listed IS NOT NULL AND known.listed_at IS DISTINCT FROM to_timestamp(found.listed))
ORDER BY known.seq, found.place -- known rows in the order in which swaps lock them
ON CONFLICT (entity_id, url_hash) DO UPDATE SET
    crawl = EXCLUDED.crawl, named = EXCLUDED.named, depth = least(page.depth, EXCLUDED.depth), orphan_since = NULL,
    listed_at = coalesce(EXCLUDED.listed_at, page.listed_at),
    settled = CASE WHEN page.passed = EXCLUDED.crawl AND EXCLUDED.listed_at > page.fetched_at
                   THEN EXCLUDED.crawl - 1 ELSE page.settled END,
    passed = CASE WHEN EXCLUDED.listed_at > page.fetched_at THEN 0 ELSE page.passed END;

-- name: take
UPDATE syncline.page SET taken_by = %(run)s
FROM (
    SELECT id FROM syncline.page
    WHERE entity_id = %(entity)s AND crawl = %(crawl)s AND settled < crawl
      AND taken_by IS DISTINCT FROM %(run)s AND (%(max_depth)s::int IS NULL OR depth <= %(max_depth)s::int)
    ORDER BY seq LIMIT %(count)s
) AS next
WHERE page.id = next.id
RETURNING page.seq, page.url, page.address, page.depth, page.content_hash IS NOT NULL AS stored, page.etag,
          page.last_modified, page.content_hash, page.extractor, page.links, page.missing_since IS NOT NULL AS gone;

-- name: settle
UPDATE syncline.page SET
    settled = %(crawl)s, state = CASE WHEN content_hash IS NOT NULL AND %(keep)s THEN 'stored' ELSE %(state)s END,
    reason = %(reason)s, missed = %(missed)s, links = coalesce(%(links)s::text[], links),
    missing_since = CASE %(missing)s WHEN 'gone' THEN coalesce(missing_since, now()) WHEN 'unknown' THEN missing_since END,
    metadata = coalesce(%(metadata)s::jsonb, metadata), etag = coalesce(%(etag)s, etag), last_modified = coalesce(%(last_modified)s, last_modified),
    fetched_at = coalesce(to_timestamp(%(fetched_at)s), fetched_at)
WHERE entity_id = %(entity)s AND url_hash = %(url_hash)s;

-- name: add_alias
UPDATE syncline.page SET aliases = (SELECT array_agg(DISTINCT a ORDER BY a) FROM unnest(aliases || %(alias)s::text) a)
WHERE entity_id = %(entity)s AND url_hash = %(url_hash)s AND NOT %(alias)s::text = ANY(aliases);

-- name: holder
SELECT url FROM syncline.page
WHERE entity_id = %(entity)s AND content_hash = %(content_hash)s AND state = 'stored' ORDER BY seq LIMIT 1;

-- name: waiting
SELECT count(*) AS n FROM syncline.page WHERE entity_id = %(entity)s AND crawl = %(crawl)s AND settled < crawl;

-- name: counted
SELECT count(*) AS n FROM syncline.page
WHERE entity_id = %(entity)s AND crawl = %(crawl)s AND settled = crawl AND passed < crawl AND state = 'stored';

-- name: passed_over
SELECT count(*) AS n FROM syncline.page WHERE entity_id = %(entity)s AND passed = %(crawl)s;

-- name: mark_orphans
WITH changed AS (
    UPDATE syncline.page SET orphan_since = CASE WHEN named < crawl THEN now() END
    WHERE entity_id = %(entity)s AND crawl = %(crawl)s AND settled = crawl AND content_hash IS NOT NULL AND NOT missed
      AND (named < crawl) <> (orphan_since IS NOT NULL)
)
SELECT count(*) AS n FROM syncline.page
WHERE entity_id = %(entity)s AND crawl = %(crawl)s AND settled = crawl AND content_hash IS NOT NULL AND NOT missed
  AND named < crawl;

-- name: leaving_pages
SELECT count(*) AS stored,
       coalesce(array_agg(page.id) FILTER (WHERE page.missing_since IS NOT NULL OR (%(prune)s AND page.crawl < entity.crawl)), '{}')
           AS leaving
FROM syncline.page JOIN syncline.entity ON entity.id = page.entity_id
WHERE page.entity_id = %(entity)s AND page.content_hash IS NOT NULL;

-- name: hide_pages
WITH hidden AS (
    UPDATE syncline.page SET
        state = CASE WHEN state = 'stored' THEN 'gone' ELSE state END, content_hash = NULL, etag = NULL, last_modified = NULL,
        missing_since = coalesce(missing_since, now())
    WHERE id = ANY(%(ids)s)
)
DELETE FROM syncline.record WHERE page_id = ANY(%(ids)s) RETURNING id;

-- name: purge_pages
DELETE FROM syncline.page
WHERE entity_id = %(entity)s AND state = 'gone' AND content_hash IS NULL
  AND missing_since < now() - make_interval(secs => %(grace)s);
