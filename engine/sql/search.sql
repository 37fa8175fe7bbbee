-- name: word_documents
SELECT word, documents FROM syncline.word WHERE word = ANY(%(words)s);

-- name: corpus_records
SELECT records FROM syncline.corpus;

-- name: count_words
WITH counted AS MATERIALIZED (
    SELECT word, ndoc FROM ts_stat('SELECT lexemes FROM syncline.record WHERE lexemes IS NOT NULL')
), gone AS (
    DELETE FROM syncline.word WHERE word NOT IN (SELECT word COLLATE "C" FROM counted)
)
INSERT INTO syncline.word (word, documents)
SELECT word, ndoc FROM counted
ON CONFLICT (word) DO UPDATE SET documents = EXCLUDED.documents
WHERE word.documents <> EXCLUDED.documents;

-- name: measure_corpus
UPDATE syncline.corpus SET
    records = (SELECT count(*) FROM syncline.record WHERE lexemes IS NOT NULL), measured_at = now();

-- name: own_index
SELECT pg_has_role(relowner, 'USAGE') AS own FROM pg_class WHERE oid = 'syncline.record_lexemes'::regclass;

-- name: flush_index
SELECT gin_clean_pending_list('syncline.record_lexemes');

-- name: text_records
SELECT count(*) AS n FROM syncline.record WHERE lexemes IS NOT NULL;

-- name: hits
SELECT record.id, record.external_id, coalesce(record.content, record.data ->> 'markdown') AS markdown,
       record.anchor, record.headings, entity.name AS entity,
       coalesce(page.url, record.data ->> 'source_url', '') AS url,
       coalesce(page.metadata ->> 'title', record.data ->> 'title', '') AS title,
       page.fetched_at, page.changed_at
FROM syncline.record
JOIN syncline.entity ON entity.id = record.entity_id
LEFT JOIN syncline.page ON page.id = record.page_id
WHERE record.id = ANY(%(ids)s);
