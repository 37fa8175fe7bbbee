-- name: swap_page
INSERT INTO syncline.page
    (entity_id, url, url_hash, address, aliases, state, reason, etag, last_modified, content_hash, metadata, markdown,
     anchors, links, depth, extractor, chunk_settings, settled, fetched_at, changed_at)
VALUES
    (%(entity)s, %(url)s, %(url_hash)s, %(url)s, %(aliases)b, 'stored', '', %(etag)s, %(last_modified)s,
     %(content_hash)s, %(metadata)s, %(markdown)s, %(anchors)s, %(links)b, %(depth)s, %(extractor)s,
     %(chunk_settings)s, (SELECT crawl FROM syncline.entity WHERE id = %(entity)s), %(fetched_at)s, now())
ON CONFLICT (entity_id, url_hash) DO UPDATE SET
    aliases = coalesce(
        (SELECT array_agg(DISTINCT alias ORDER BY alias) FROM unnest(page.aliases || EXCLUDED.aliases) AS alias), '{}'
    ), state = 'stored', reason = '', etag = EXCLUDED.etag,
    last_modified = EXCLUDED.last_modified, content_hash = EXCLUDED.content_hash, metadata = EXCLUDED.metadata,
    markdown = EXCLUDED.markdown, anchors = EXCLUDED.anchors, links = EXCLUDED.links, depth = EXCLUDED.depth,
    extractor = EXCLUDED.extractor, chunk_settings = EXCLUDED.chunk_settings, settled = EXCLUDED.settled,
    fetched_at = EXCLUDED.fetched_at, missing_since = NULL, missed = false,
    changed_at = CASE WHEN page.content_hash IS DISTINCT FROM EXCLUDED.content_hash THEN now() ELSE page.changed_at END
RETURNING id;

-- name: get_page
SELECT page.url, entity.name AS entity, coalesce(page.metadata ->> 'title', '') AS title, page.state, page.reason,
       page.metadata, CASE WHEN page.content_hash IS NOT NULL THEN page.markdown END AS markdown, page.anchors,
       page.aliases, page.fetched_at, page.changed_at, page.missing_since, page.orphan_since
FROM syncline.page JOIN syncline.entity ON entity.id = page.entity_id
WHERE page.url_hash = %(url_hash)s
ORDER BY (page.content_hash IS NOT NULL) DESC, page.fetched_at DESC NULLS LAST
LIMIT 1;

-- name: stored_pages
SELECT id, url, markdown, anchors, metadata, links, aliases, depth, etag, last_modified, content_hash, extractor,
       chunk_settings, extract(epoch FROM fetched_at)::float8 AS fetched_at
FROM syncline.page
WHERE entity_id = (SELECT id FROM syncline.entity WHERE key = %(key)s)
  AND content_hash IS NOT NULL AND id > %(after)s
  AND (%(other_than)s::text IS NULL OR chunk_settings IS DISTINCT FROM %(other_than)s::text)
ORDER BY id LIMIT %(count)s;

-- name: sites
SELECT entity.name, entity.connection_id, entity.start_url,
       (SELECT count(*) FROM syncline.page WHERE entity_id = entity.id AND content_hash IS NOT NULL) AS pages,
       (SELECT count(*) FROM syncline.record WHERE entity_id = entity.id) AS records,
       (SELECT max(fetched_at) FROM syncline.page WHERE entity_id = entity.id) AS fetched_at,
       entity.crawl_options AS options, NOT entity.crawl_finished AS unfinished
FROM syncline.entity ORDER BY entity.name, entity.connection_id;

-- name: resolve_entity
SELECT id, connection_id, name FROM syncline.entity
WHERE (name = ANY(%(names)s) OR start_url = ANY(%(names)s))
  AND (%(connection_id)s::text IS NULL OR connection_id = %(connection_id)s::text)
ORDER BY (name = %(given)s) DESC, (connection_id = 'SYSTEM') DESC, connection_id COLLATE "C", id;

-- name: writable
SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean
       AND has_table_privilege('syncline.record', 'INSERT, UPDATE, DELETE') AS writable;

-- name: status
SELECT current_setting('server_version') AS server,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector,
       (SELECT count(*) FROM syncline.entity) AS entities,
       (SELECT count(*) FROM syncline.page WHERE content_hash IS NOT NULL) AS pages,
       (SELECT count(*) FROM syncline.record) AS records,
       pg_database_size(current_database()) AS bytes;
