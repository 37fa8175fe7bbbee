-- name: runs
SELECT id, parent, sync, CASE WHEN died THEN 'died' ELSE state END AS state, input, output, counters,
       CASE WHEN died THEN %(died)s::text ELSE error END AS error, started_at, heartbeat_at,
       CASE WHEN died THEN heartbeat_at ELSE ended_at END AS ended_at
FROM (
    SELECT *, state IN ('running', 'cancelling') AND heartbeat_at < now() - make_interval(secs => %(dead_after)s) AS died
    FROM syncline.run
) AS run
WHERE (%(id)s::text IS NULL OR id = %(id)s::text) AND (%(parent)s::text IS NULL OR parent = %(parent)s::text)
ORDER BY started_at DESC, id LIMIT %(limit)s;

-- name: start_run
WITH died AS (
    -- A row that somebody is writing to is left to the next run: nobody waits here.
    SELECT id FROM syncline.run
    WHERE state IN ('running', 'cancelling') AND heartbeat_at < now() - make_interval(secs => %(dead_after)s)
      AND id <> %(id)s
    FOR UPDATE SKIP LOCKED
), marked AS (
    UPDATE syncline.run SET state = 'died', ended_at = run.heartbeat_at, error = %(died)s
    FROM died WHERE run.id = died.id
)
INSERT INTO syncline.run (id, parent, sync, state, input)
SELECT %(id)s, %(parent)s, %(sync)s, 'running', %(input)s
-- Half the cost of a run is the wait for the disk. What is written later in it, its end included, is not on the disk
-- before this is.
FROM set_config('synchronous_commit', 'off', true)
ON CONFLICT (id) DO UPDATE SET
    parent = EXCLUDED.parent, sync = EXCLUDED.sync, state = EXCLUDED.state, input = EXCLUDED.input, output = NULL,
    counters = '{}', error = NULL, started_at = now(), heartbeat_at = now(), ended_at = NULL;

-- name: beat_run
WITH beaten AS (
    UPDATE syncline.run SET
        heartbeat_at = now(), counters = coalesce(%(counters)s, counters), ended_at = NULL, error = NULL,
        state = CASE WHEN state = 'cancelling' THEN state ELSE coalesce(%(state)s, 'running') END
    WHERE id = %(id)s AND state IN ('running', 'cancelling', 'died')
)
SELECT id FROM syncline.run WHERE id = %(id)s;

-- name: end_run
UPDATE syncline.run SET
    state = %(state)s, counters = coalesce(%(counters)s, counters), output = %(output)s, error = %(error)s,
    heartbeat_at = now(), ended_at = now()
WHERE id = %(id)s
RETURNING id;
