-- Keys of any length: what was a btree key as text fails above some 2,700 bytes.

ALTER TABLE syncline.entity ADD COLUMN key bytea; -- SHA-256 of connection_id, NUL and name
UPDATE syncline.entity SET key = sha256(convert_to(connection_id, 'UTF8') || '\x00'::bytea || convert_to(name, 'UTF8'));
ALTER TABLE syncline.entity ALTER COLUMN key SET NOT NULL, ADD UNIQUE (key);
ALTER TABLE syncline.entity DROP CONSTRAINT entity_connection_id_name_key;

DROP INDEX syncline.page_content;
CREATE INDEX page_content ON syncline.page USING hash (content_hash) WHERE content_hash IS NOT NULL;
DROP INDEX syncline.run_parent;
CREATE INDEX run_parent ON syncline.run USING hash (parent) WHERE parent IS NOT NULL;
