-- name: index_health
SELECT index.relname AS name, owner.relname AS table, pg_relation_size(index.oid) AS bytes,
       indisvalid AND indisready AS valid
FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
JOIN pg_class AS owner ON owner.oid = indrelid
WHERE owner.relnamespace = 'syncline'::regnamespace
ORDER BY index.relname;

-- name: graphs_under_way
SELECT relid::regclass::text AS table, CASE WHEN blocks_total > 0 THEN blocks_done::float8 / blocks_total END AS share
FROM pg_stat_progress_create_index WHERE datname = current_database();

-- name: table_health
-- What the statistics estimate, which costs nothing: rows that are there, and dead ones that vacuum has not taken away.
SELECT class.relname AS name, pg_total_relation_size(class.oid) AS bytes, coalesce(n_live_tup, 0) AS rows,
       coalesce(n_dead_tup, 0) AS dead, greatest(last_vacuum, last_autovacuum) AS vacuumed_at
FROM pg_class AS class LEFT JOIN pg_stat_user_tables AS stat ON stat.relid = class.oid
WHERE class.relnamespace = 'syncline'::regnamespace AND class.relkind = 'r'
ORDER BY class.relname;

-- name: page_states
SELECT entity.id, entity.name, entity.connection_id,
       count(*) FILTER (WHERE content_hash IS NOT NULL) AS pages,
       min(fetched_at) FILTER (WHERE content_hash IS NOT NULL) AS oldest,
       max(fetched_at) FILTER (WHERE content_hash IS NOT NULL) AS newest,
       count(*) FILTER (WHERE content_hash IS NOT NULL AND orphan_since IS NOT NULL) AS orphans,
       count(*) FILTER (WHERE content_hash IS NULL AND page.state = 'gone') AS gone,
       count(*) FILTER (WHERE page.settled < page.crawl) AS waiting
FROM syncline.entity JOIN syncline.page ON page.entity_id = entity.id
GROUP BY entity.id ORDER BY entity.name COLLATE "C", entity.connection_id COLLATE "C";

-- name: stored_visits
SELECT id, entity_id, true AS stored, missed, extractor, last_modified, changed_at, fetched_at, listed_at
FROM syncline.page WHERE content_hash IS NOT NULL AND id > %(after)s ORDER BY id LIMIT %(count)s;

-- name: server_settings
SELECT current_setting('fsync')::boolean AS fsync, current_setting('autovacuum')::boolean AS autovacuum,
       current_setting('max_connections')::int AS max_connections,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections;

-- name: known_role
SELECT FROM pg_roles WHERE rolname = %(role)s;

-- name: may_search
SELECT has_schema_privilege(%(role)s, 'syncline', 'USAGE') AND bool_and(has_table_privilege(%(role)s, oid, 'SELECT')) AS may
FROM pg_class WHERE relnamespace = 'syncline'::regnamespace AND relname = ANY(%(tables)s);
