-- name: active_space
SELECT id, name, dimensions, type, weight::float8 AS weight
FROM syncline.embedding_space WHERE active;

-- name: add_space
INSERT INTO syncline.embedding_space (name, dimensions, type, active)
VALUES (%(name)s, %(dimensions)s, %(type)s, true)
RETURNING id, name, dimensions, type, weight::float8 AS weight;
