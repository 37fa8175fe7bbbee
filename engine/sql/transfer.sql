-- name: exported_entities
SELECT id, to_jsonb(facts) AS entity FROM syncline.entity, LATERAL (
    SELECT entity.connection_id, entity.name, entity.start_url, entity.last_sync_id, entity.crawl, entity.crawl_options,
           entity.crawl_finished, entity.created_at, entity.updated_at
) AS facts
WHERE %(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s::bigint[])
ORDER BY id;

-- name: exported_pages
SELECT seq, to_jsonb(facts) AS page FROM syncline.page, LATERAL (
    SELECT page.url, page.address, page.aliases, page.state, page.reason, page.etag, page.last_modified, page.content_hash,
           page.metadata, page.markdown, page.anchors, page.links, page.depth, page.extractor, page.chunk_settings,
           page.crawl, page.settled, page.passed, page.named, page.missed, page.fetched_at, page.changed_at,
           page.missing_since, page.listed_at, page.orphan_since
) AS facts
WHERE entity_id = %(entity)s AND seq > %(after)s ORDER BY seq LIMIT %(count)s;

-- name: exported_records
SELECT record.id, page.url AS page, record.external_id, record.data, record.content, record.embed_text, record.position,
       lower(record.span) AS span_start, upper(record.span) AS span_end, record.anchor, record.headings, record.terms,
       record.weight
FROM syncline.record LEFT JOIN syncline.page ON page.id = record.page_id
WHERE record.entity_id = %(entity)s AND record.id > %(after)s ORDER BY record.id LIMIT %(count)s;

-- name: exported_vectors
SELECT hash, embedding FROM {vectors} AS vectors
WHERE hash > %(after)s
  AND EXISTS (SELECT FROM syncline.record WHERE embed_hash = vectors.hash AND entity_id = ANY(%(entities)s))
ORDER BY hash LIMIT %(count)s;

-- name: exported_failures
SELECT hash, reason, tries FROM syncline.embed_failure AS failure
WHERE space_id = %(space)s AND hash > %(after)s
  AND EXISTS (SELECT FROM syncline.record WHERE embed_hash = failure.hash AND entity_id = ANY(%(entities)s))
ORDER BY hash LIMIT %(count)s;

-- name: held_entity
SELECT id FROM syncline.entity WHERE key = %(key)s FOR UPDATE;

-- name: import_entity
INSERT INTO syncline.entity (key, connection_id, name, start_url, last_sync_id, crawl, crawl_options, crawl_finished,
    created_at, updated_at)
SELECT %(key)s, %(connection_id)s, %(name)s, start_url, last_sync_id, crawl, crawl_options, crawl_finished, created_at,
       updated_at
FROM jsonb_populate_record(NULL::syncline.entity, %(entity)s)
RETURNING id;

-- name: import_pages
INSERT INTO syncline.page (entity_id, url_hash, url, address, aliases, state, reason, etag, last_modified, content_hash,
    metadata, markdown, anchors, links, depth, extractor, chunk_settings, crawl, settled, passed, named, missed,
    fetched_at, changed_at, missing_since, listed_at, orphan_since)
SELECT %(entity)s, sha256(convert_to(url, 'UTF8')), url, address, aliases, state, reason, etag, last_modified, content_hash,
       metadata, markdown, anchors, links, depth, extractor, chunk_settings, crawl, settled, passed, named, missed,
       fetched_at, changed_at, missing_since, listed_at, orphan_since
FROM jsonb_populate_recordset(NULL::syncline.page, %(pages)s) WITH ORDINALITY
ORDER BY ordinality; -- of discovery

-- name: imported_pages
SELECT url, id FROM syncline.page WHERE entity_id = %(entity)s AND url_hash = ANY(%(hashes)b);

-- name: import_failure
INSERT INTO syncline.embed_failure (hash, space_id, reason, tries) VALUES (%(hash)s, %(space)s, %(reason)s, %(tries)s)
ON CONFLICT DO NOTHING;

-- name: texts_to_embed
SELECT count(DISTINCT embed_hash) AS n FROM syncline.record
WHERE entity_id = ANY(%(entities)s) AND embed_hash IS NOT NULL
  AND NOT EXISTS (SELECT FROM {vectors} AS vectors WHERE hash = embed_hash)
  AND NOT EXISTS (SELECT FROM syncline.embed_failure WHERE hash = embed_hash AND space_id = %(space)s);
