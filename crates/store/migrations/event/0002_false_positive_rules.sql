-- Rules of false positives: what people said is harmless, and how often that hid something. The conditions are one JSON
-- object (weir_model::Conditions). Marks remember the rule they came from, so that it can be taken back.

CREATE TABLE false_positive_rules (
    id TEXT NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    author TEXT NOT NULL,
    created TEXT NOT NULL,
    created_ns BIGINT NOT NULL,
    expires TEXT,
    expires_ns BIGINT,
    note TEXT NOT NULL,
    conditions TEXT NOT NULL,
    hits BIGINT NOT NULL DEFAULT 0,
    last_hit_ns BIGINT
);

ALTER TABLE event_false_positives ADD COLUMN rule_id TEXT;
CREATE INDEX event_false_positives_by_rule ON event_false_positives (rule_id);

CREATE VIEW bi_false_positive_rules AS WITH one AS (
    SELECT id, site, author, created, expires, note, conditions, hits, last_hit_ns / 1000000000 AS last_hit_s
    FROM false_positive_rules
) SELECT * FROM one;
