-- name: ensure_entity
INSERT INTO syncline.entity (connection_id, name, start_url) VALUES (%(connection_id)s, %(name)s, %(start_url)s)
ON CONFLICT (connection_id, name) DO UPDATE
SET start_url = coalesce(EXCLUDED.start_url, entity.start_url), updated_at = now()
RETURNING id;

-- name: delete_entity
DELETE FROM syncline.entity WHERE connection_id = %(connection_id)s AND name = %(name)s RETURNING id;

-- name: records_by_hash
SELECT id, page_id, external_id, data, content_hash, embed_hash, position,
       lower(span) AS span_start, upper(span) AS span_end, anchor, headings, terms, weight
FROM syncline.record WHERE entity_id = %(entity)s AND external_hash = ANY(%(hashes)s)
ORDER BY position, id;

-- name: records_of_pages
SELECT id, page_id, external_id, data, content_hash, embed_hash, position,
       lower(span) AS span_start, upper(span) AS span_end, anchor, headings, terms, weight
FROM syncline.record WHERE page_id = ANY(%(pages)s)
ORDER BY page_id, position, id;

-- name: add_record
INSERT INTO syncline.record
    (entity_id, page_id, external_id, external_hash, data, content, embed_text, content_hash, embed_hash,
     position, span, anchor, headings, terms, weight, lexemes, bm25)
VALUES
    (%(entity)s, %(page)s, %(external_id)s, %(external_hash)s, %(data)s, %(content)s, %(embed_text)s,
     %(content_hash)s, %(embed_hash)s, %(position)s, int4range(%(span_start)s, %(span_end)s), %(anchor)s,
     %(headings)s, %(terms)s, %(weight)s, %(lexemes)s::tsvector, %(bm25)b);

-- name: replace_record
UPDATE syncline.record SET
    page_id = %(page)s, external_id = %(external_id)s, external_hash = %(external_hash)s, data = %(data)s,
    content = %(content)s, embed_text = %(embed_text)s, content_hash = %(content_hash)s,
    embed_hash = %(embed_hash)s, position = %(position)s, span = int4range(%(span_start)s, %(span_end)s),
    anchor = %(anchor)s, headings = %(headings)s, terms = %(terms)s, weight = %(weight)s,
    lexemes = %(lexemes)s::tsvector, bm25 = %(bm25)b, updated_at = now()
WHERE id = %(id)s;

-- name: move_record
UPDATE syncline.record SET
    page_id = %(page)s, external_id = %(external_id)s, external_hash = %(external_hash)s, data = %(data)s,
    position = %(position)s, span = int4range(%(span_start)s, %(span_end)s), anchor = %(anchor)s,
    weight = %(weight)s, updated_at = now()
WHERE id = %(id)s;

-- name: delete_records
DELETE FROM syncline.record WHERE id = ANY(%(ids)s);

-- name: held_elsewhere
SELECT record.external_id, page.url
FROM syncline.record LEFT JOIN syncline.page ON page.id = record.page_id
WHERE record.entity_id = %(entity)s AND record.external_hash = ANY(%(hashes)s)
  AND (record.page_id IS NULL OR record.page_id <> ALL(%(pages)s))
ORDER BY record.id LIMIT 1;
