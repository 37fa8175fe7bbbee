-- What a refresh and the mark of orphans need to know of a page, and the options of a site's last crawl for good.

ALTER TABLE syncline.entity ADD COLUMN crawl_finished boolean NOT NULL DEFAULT true; -- the last crawl ended by itself
UPDATE syncline.entity SET crawl_finished = false WHERE crawl_options IS NOT NULL;

ALTER TABLE syncline.page
    ADD COLUMN passed       integer NOT NULL DEFAULT 0,     -- the last crawl that left it alone, as not due
    ADD COLUMN named        integer NOT NULL DEFAULT 0,     -- the last crawl in which a page or a list named it
    ADD COLUMN missed       boolean NOT NULL DEFAULT false, -- the last visit did not get the page
    ADD COLUMN listed_at    timestamptz,                    -- when it last changed, as the site's lists say
    ADD COLUMN orphan_since timestamptz;                    -- when a whole crawl first found nothing that names it
UPDATE syncline.page SET missed = true WHERE content_hash IS NOT NULL AND state <> 'stored';
