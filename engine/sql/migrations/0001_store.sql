-- The store of design.md's data model. Everything lives in the schema `syncline`; pgvector's type comes from wherever the extension is installed.

CREATE TABLE syncline.entity (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id text NOT NULL,
    name          text NOT NULL,
    start_url     text,
    crawl         integer NOT NULL DEFAULT 0,       -- number of the last crawl that was begun
    crawl_options jsonb,                            -- of that crawl; NULL once it has ended by itself
    last_sync_id  text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (connection_id, name)
);

CREATE TABLE syncline.page (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity_id      bigint NOT NULL REFERENCES syncline.entity ON DELETE CASCADE,
    url            text NOT NULL,
    url_hash       bytea NOT NULL,                  -- a URL can be longer than a btree key may be
    address        text NOT NULL,                   -- as the page that links here wrote it: what is sent
    aliases        text[] NOT NULL DEFAULT '{}',
    state          text NOT NULL DEFAULT 'waiting', -- outcome of the last visit
    reason         text NOT NULL DEFAULT '',
    etag           text,
    last_modified  text,
    content_hash   text,                            -- set by the page swap alone: NULL means not stored
    metadata       jsonb NOT NULL DEFAULT '{}',
    markdown       text,
    anchors        jsonb NOT NULL DEFAULT '[]',
    links          text[] NOT NULL DEFAULT '{}',
    depth          integer NOT NULL DEFAULT 0,
    extractor      text,
    chunk_settings text,
    seq            bigint GENERATED ALWAYS AS IDENTITY, -- order of discovery
    crawl          integer NOT NULL DEFAULT 0,      -- the crawl whose frontier the page is in
    settled        integer NOT NULL DEFAULT 0,      -- the last crawl that was done with it
    taken_by       text,                            -- the run that took it up last
    fetched_at     timestamptz,
    changed_at     timestamptz,
    missing_since  timestamptz,
    UNIQUE (entity_id, url_hash)
);
CREATE INDEX page_frontier ON syncline.page (entity_id, seq) WHERE settled < crawl;
CREATE INDEX page_content ON syncline.page (entity_id, content_hash) WHERE content_hash IS NOT NULL;
CREATE INDEX page_by_url ON syncline.page (url_hash);

CREATE TABLE syncline.record (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity_id     bigint NOT NULL REFERENCES syncline.entity ON DELETE CASCADE,
    page_id       bigint REFERENCES syncline.page ON DELETE CASCADE,
    external_id   text NOT NULL,
    external_hash bytea NOT NULL,
    data          jsonb NOT NULL,
    -- What filters read: the data without its markdown, which is most of its bytes and would have to be unpacked
    -- for every record that a filter looks at.
    facts         jsonb NOT NULL GENERATED ALWAYS AS (data - 'markdown') STORED,
    content       text,                             -- the text, where it is not data->>'markdown'
    embed_text    text,
    content_hash  bytea,
    embed_hash    bytea,
    position      integer,
    span          int4range,
    anchor        text,
    headings      text[] NOT NULL DEFAULT '{}',
    terms         text[] NOT NULL DEFAULT '{}',     -- names that the text defines besides its last heading
    weight        double precision NOT NULL DEFAULT 1,          -- the score is multiplied by it
    lexemes       tsvector,
    bm25          sparsevec,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT record_external_id UNIQUE (entity_id, external_hash) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX record_page ON syncline.record (page_id);
CREATE INDEX record_embed_hash ON syncline.record (embed_hash);
CREATE INDEX record_lexemes ON syncline.record USING gin (lexemes);

-- Statistics of the text index. They may lag behind the records: they only scale the scores.
CREATE TABLE syncline.word (
    word      text COLLATE "C" PRIMARY KEY,
    documents integer NOT NULL
);
CREATE TABLE syncline.corpus (
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    records     bigint NOT NULL DEFAULT 0,
    measured_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO syncline.corpus DEFAULT VALUES;

CREATE TABLE syncline.embedding_space (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,                -- provider:model@dimensions
    dimensions integer NOT NULL,
    type       text NOT NULL,                       -- vector | halfvec
    active     boolean NOT NULL DEFAULT false,
    weight     real NOT NULL DEFAULT 0.2,           -- of the cosine in the fused score
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX embedding_space_active ON syncline.embedding_space (active) WHERE active;

CREATE TABLE syncline.embed_failure (
    hash      bytea NOT NULL,
    space_id  integer NOT NULL REFERENCES syncline.embedding_space ON DELETE CASCADE,
    reason    text NOT NULL,
    tries     integer NOT NULL DEFAULT 1,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (hash, space_id)
);

CREATE TABLE syncline.run (
    id           text PRIMARY KEY,
    parent       text,
    sync         text NOT NULL,
    state        text NOT NULL,
    input        jsonb NOT NULL,
    output       jsonb,
    counters     jsonb NOT NULL DEFAULT '{}',
    error        text,
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz
);
CREATE INDEX run_started ON syncline.run (started_at DESC);
CREATE INDEX run_parent ON syncline.run (parent) WHERE parent IS NOT NULL;
-- The few runs that may have died. Not by heartbeat: a beat that changes no index is a cheaper write.
CREATE INDEX run_live ON syncline.run (id) WHERE state IN ('running', 'cancelling');
