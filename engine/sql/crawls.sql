-- name: begin_crawl
UPDATE syncline.entity SET
    crawl = CASE WHEN crawl_options IS NOT DISTINCT FROM %(options)s::jsonb THEN crawl ELSE crawl + 1 END,
    crawl_options = %(options)s::jsonb
WHERE id = %(entity)s
RETURNING crawl, (
    SELECT old.crawl_options IS NOT DISTINCT FROM %(options)s::jsonb FROM syncline.entity AS old
    WHERE old.id = %(entity)s
) AS resumed;

-- name: end_crawl
UPDATE syncline.entity SET crawl_options = NULL WHERE id = %(entity)s;

-- name: known_pages
SELECT seq, url, address, depth FROM syncline.page
WHERE entity_id = %(entity)s AND seq > %(after)s ORDER BY seq LIMIT %(count)s;

-- name: discover
INSERT INTO syncline.page (entity_id, url, url_hash, address, depth, crawl)
SELECT %(entity)s, found.url, found.url_hash, found.address, found.depth, %(crawl)s
FROM unnest(%(urls)s::text[], %(hashes)s::bytea[], %(addresses)s::text[], %(depths)s::int[])
     WITH ORDINALITY AS found (url, url_hash, address, depth, place)
WHERE NOT EXISTS ( -- even a row that stays as it is would be locked, and a page swap may be writing it
    SELECT FROM syncline.page AS known
    WHERE known.entity_id = %(entity)s AND known.url_hash = found.url_hash
      AND known.crawl >= %(crawl)s AND known.depth <= found.depth
)
ORDER BY found.place
ON CONFLICT (entity_id, url_hash) DO UPDATE
SET crawl = EXCLUDED.crawl, depth = least(page.depth, EXCLUDED.depth)
WHERE page.crawl < EXCLUDED.crawl OR page.depth > EXCLUDED.depth;

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
          page.last_modified, page.content_hash, page.extractor, page.links;

-- name: settle
UPDATE syncline.page SET
    settled = %(crawl)s, state = CASE WHEN content_hash IS NOT NULL AND %(keep)s THEN 'stored' ELSE %(state)s END,
    reason = %(reason)s,
    missing_since = CASE %(missing)s WHEN 'gone' THEN coalesce(missing_since, now()) WHEN 'unknown' THEN missing_since END,
    etag = coalesce(%(etag)s, etag), last_modified = coalesce(%(last_modified)s, last_modified),
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
WHERE entity_id = %(entity)s AND crawl = %(crawl)s AND settled = crawl AND state = 'stored';

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
