-- name: ensure_entity
INSERT INTO syncline.entity (key, connection_id, name, start_url)
VALUES (%(key)s, %(connection_id)s, %(name)s, %(start_url)s)
ON CONFLICT (key) DO UPDATE
SET start_url = coalesce(EXCLUDED.start_url, entity.start_url), updated_at = now()
RETURNING id;

-- name: create_entity
-- The update of nothing gives back the row that is there, and no race can lose it.
INSERT INTO syncline.entity (key, connection_id, name) VALUES (%(key)s, %(connection_id)s, %(name)s)
ON CONFLICT (key) DO UPDATE SET name = EXCLUDED.name
RETURNING id, connection_id, name, start_url, last_sync_id, created_at, updated_at;

-- name: get_entity
SELECT id, connection_id, name, start_url, last_sync_id, created_at, updated_at
FROM syncline.entity WHERE key = %(key)s;

-- name: entity_names
SELECT id, connection_id, name FROM syncline.entity
WHERE %(connection_id)s::text IS NULL OR connection_id = %(connection_id)s::text
ORDER BY connection_id COLLATE "C", name COLLATE "C";

-- name: keep_sync_id
UPDATE syncline.entity SET last_sync_id = %(last_sync_id)s WHERE id = %(id)s;

-- name: touch_entity
UPDATE syncline.entity SET updated_at = now() WHERE key = %(key)s RETURNING id;

-- name: delete_entity
DELETE FROM syncline.entity WHERE key = %(key)s RETURNING id;

-- name: records_by_hash
SELECT id, page_id, external_id, data, content_hash, embed_hash, position,
       lower(span) AS span_start, upper(span) AS span_end, anchor, headings, terms, weight
FROM syncline.record WHERE entity_id = %(entity)s AND external_hash = ANY(%(hashes)b)
ORDER BY position, id;

-- name: whole_records
SELECT record.external_id, record.data, record.content, record.embed_text, record.position,
       lower(record.span) AS span_start, upper(record.span) AS span_end, record.anchor, record.headings, record.terms,
       record.weight
FROM syncline.record JOIN syncline.entity ON entity.id = record.entity_id
WHERE entity.key = %(key)s AND record.external_hash = ANY(%(hashes)b);

-- name: records_of_pages
SELECT id, page_id, external_id, data, content_hash, embed_hash, position,
       lower(span) AS span_start, upper(span) AS span_end, anchor, headings, terms, weight
FROM syncline.record WHERE page_id = ANY(%(pages)s)
ORDER BY page_id, position, id;

-- name: copy_records
COPY syncline.record
    (entity_id, page_id, external_id, external_hash, data, content, embed_text, content_hash, embed_hash,
     position, span, anchor, headings, terms, weight, lexemes, bm25)
FROM STDIN (FORMAT BINARY);

-- name: replace_record
UPDATE syncline.record SET
    page_id = %(page)s, external_id = %(external_id)s, external_hash = %(external_hash)s, data = %(data)s,
    content = %(content)s, embed_text = %(embed_text)s, content_hash = %(content_hash)s,
    embed_hash = %(embed_hash)s, position = %(position)s, span = int4range(%(span_start)s, %(span_end)s),
    anchor = %(anchor)s, headings = %(headings)s, terms = %(terms)s, weight = %(weight)s,
    lexemes = %(lexemes)b, bm25 = %(bm25)b, updated_at = now()
WHERE id = %(id)s;

-- name: move_records
UPDATE syncline.record SET
    page_id = moved.page, external_id = moved.external_id, external_hash = moved.external_hash, data = moved.data,
    position = moved.position, span = int4range(moved.span_start, moved.span_end), anchor = moved.anchor,
    weight = moved.weight, updated_at = now()
FROM unnest(
    %(ids)b::bigint[], %(pages)b::bigint[], %(external_ids)b::text[], %(hashes)b::bytea[], %(data)b::jsonb[],
    %(positions)b::int[], %(starts)b::int[], %(ends)b::int[], %(anchors)b::text[], %(weights)b::float8[]
) AS moved (id, page, external_id, external_hash, data, position, span_start, span_end, anchor, weight)
WHERE record.id = moved.id;

-- name: delete_records
DELETE FROM syncline.record WHERE id = ANY(%(ids)s);

-- name: delete_by_hash
DELETE FROM syncline.record WHERE entity_id = %(entity)s AND external_hash = ANY(%(hashes)b);

-- name: held_elsewhere
SELECT record.external_id, page.url
FROM syncline.record LEFT JOIN syncline.page ON page.id = record.page_id
WHERE record.entity_id = %(entity)s AND record.external_hash = ANY(%(hashes)b)
  AND (record.page_id IS NULL OR record.page_id <> ALL(%(pages)s))
ORDER BY record.id LIMIT 1;
