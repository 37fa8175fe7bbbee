-- name: active_space
SELECT id, name, dimensions, type, weight::float8 AS weight, active
FROM syncline.embedding_space WHERE active;

-- name: index_progress
SELECT tuples_done AS vectors, blocks_done::float8 / blocks_total AS share -- pgvector does not tell how many there are
FROM pg_stat_progress_create_index WHERE relid = %(table)s::regclass AND blocks_total > 0;

-- name: add_space
INSERT INTO syncline.embedding_space (name, dimensions, type, weight, active)
SELECT %(name)s, %(dimensions)s, %(type)s, coalesce(%(weight)s::real, 0.2), NOT EXISTS (SELECT FROM syncline.embedding_space)
RETURNING id, name, dimensions, type, weight::float8 AS weight, active;

-- name: all_spaces
SELECT id, name, dimensions, type, weight::float8 AS weight, active FROM syncline.embedding_space ORDER BY id;

-- name: deactivate_space
UPDATE syncline.embedding_space SET active = false WHERE active AND id <> %(id)s;

-- name: use_space
UPDATE syncline.embedding_space SET active = true, weight = coalesce(%(weight)s, weight) WHERE id = %(id)s;

-- name: drop_space
DELETE FROM syncline.embedding_space WHERE id = %(id)s;

-- name: describe_space
SELECT (SELECT count(*) FROM {vectors}) AS vectors,
       (SELECT count(DISTINCT embed_hash) FROM syncline.record
        WHERE embed_hash IS NOT NULL AND NOT EXISTS (SELECT FROM {vectors} AS vectors WHERE hash = embed_hash)
          AND NOT EXISTS (SELECT FROM syncline.embed_failure WHERE hash = embed_hash AND space_id = %(space)s)) AS missing,
       (SELECT count(*) FROM syncline.embed_failure WHERE space_id = %(space)s) AS failed,
       pg_total_relation_size(%(table)s::regclass) AS bytes,
       to_regclass(%(index)s) IS NOT NULL AS indexed;

-- name: any_missing
SELECT EXISTS (
    SELECT FROM syncline.record
    WHERE embed_hash IS NOT NULL AND NOT EXISTS (SELECT FROM {vectors} AS vectors WHERE hash = embed_hash)
      AND NOT EXISTS (SELECT FROM syncline.embed_failure WHERE hash = embed_hash AND space_id = %(space)s)
) AS missing;

-- name: touch_vectors
UPDATE {vectors} AS vectors SET created_at = now()
WHERE hash = ANY(%(hashes)b) AND NOT EXISTS (SELECT FROM syncline.record WHERE embed_hash = vectors.hash);

-- name: known_texts
SELECT hash, false AS failed FROM {vectors} WHERE hash = ANY(%(hashes)b)
UNION ALL
SELECT hash, true FROM syncline.embed_failure WHERE space_id = %(space)s AND hash = ANY(%(hashes)b);

-- name: keep_vectors
-- Waits for the disk, whatever the vectors cost: a crawl outlives its server, and would write their records on the next one.
WITH accepted AS (
    DELETE FROM syncline.embed_failure WHERE space_id = %(space)s AND hash = ANY(%(hashes)b)
)
INSERT INTO {vectors} (hash, embedding)
SELECT * FROM unnest(%(hashes)b::bytea[], %(vectors)b)
ON CONFLICT DO NOTHING;

-- name: keep_failure
INSERT INTO syncline.embed_failure (hash, space_id, reason) VALUES (%(hash)s, %(space)s, %(reason)s)
ON CONFLICT (hash, space_id) DO UPDATE
SET reason = EXCLUDED.reason, tries = embed_failure.tries + 1, failed_at = now();

-- name: embed_failures
SELECT coalesce(page.url, record.data ->> 'source_url', '') AS url, entity.name AS entity, record.external_id,
       failure.reason, failure.tries, failure.failed_at
FROM syncline.embed_failure AS failure
JOIN syncline.embedding_space AS space ON space.id = failure.space_id AND space.active
JOIN syncline.record ON record.embed_hash = failure.hash
JOIN syncline.entity ON entity.id = record.entity_id
LEFT JOIN syncline.page ON page.id = record.page_id
WHERE (%(connection_id)s::text IS NULL OR entity.connection_id = %(connection_id)s::text)
  AND (%(name)s::text IS NULL OR entity.name = %(name)s::text)
ORDER BY entity.name COLLATE "C", record.external_id COLLATE "C" LIMIT %(limit)s;

-- name: texts_without_vector
SELECT DISTINCT ON (embed_hash) embed_hash AS hash, embed_text AS text FROM syncline.record
WHERE embed_hash > %(after)s AND NOT EXISTS (SELECT FROM {vectors} AS vectors WHERE vectors.hash = record.embed_hash)
ORDER BY embed_hash LIMIT %(count)s;

-- name: oldest_live_run
SELECT least(min(started_at), now()) AS start FROM syncline.run -- least() passes over the NULL of no run
WHERE state IN ('running', 'cancelling') AND heartbeat_at >= now() - make_interval(secs => %(dead_after)s);

-- name: forget_vectors
-- The time is asked for again of the row that is deleted: somebody may have found a use for it meanwhile.
WITH unused AS MATERIALIZED (
    SELECT hash, created_at >= %(start)s AS young FROM {vectors} AS vectors
    WHERE NOT EXISTS (SELECT FROM syncline.record WHERE embed_hash = vectors.hash)
), gone AS (
    DELETE FROM {vectors} AS vectors USING unused
    WHERE vectors.hash = unused.hash AND NOT unused.young AND vectors.created_at < %(start)s
    RETURNING vectors.hash
)
SELECT (SELECT count(*) FROM gone) AS vectors, (SELECT count(*) FROM unused WHERE young) AS spared;

-- name: forget_unused_failures
DELETE FROM syncline.embed_failure AS failure
WHERE failed_at < %(start)s AND NOT EXISTS (SELECT FROM syncline.record WHERE embed_hash = failure.hash);

-- name: purge_every_page
DELETE FROM syncline.page
WHERE state = 'gone' AND content_hash IS NULL AND missing_since < now() - make_interval(secs => %(grace)s);

-- name: prune_runs
DELETE FROM syncline.run
WHERE coalesce(ended_at, heartbeat_at) < now() - make_interval(secs => %(older_than)s) AND (
    state NOT IN ('running', 'cancelling') OR heartbeat_at < now() - make_interval(secs => %(dead_after)s)
);
