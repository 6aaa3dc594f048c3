-- The event database, in the SQL that SQLite and PostgreSQL share. Times stand twice: as RFC 3339 text for people and
-- tools, and as nanoseconds since 1970 (_ns) for order and search. Yes and no are 1 and 0.

CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    feed TEXT NOT NULL,
    instance TEXT NOT NULL,
    method TEXT NOT NULL,
    submethod TEXT NOT NULL,
    title TEXT NOT NULL,
    priority BIGINT NOT NULL,
    probability BIGINT NOT NULL,
    risk BIGINT NOT NULL,
    state TEXT NOT NULL,
    closed BIGINT NOT NULL,
    source_ip TEXT,
    source_key TEXT,
    source_mac TEXT,
    source_name TEXT,
    source_user TEXT,
    target_count BIGINT NOT NULL,
    first_flow TEXT NOT NULL,
    first_flow_ns BIGINT NOT NULL,
    detected TEXT NOT NULL,
    detected_ns BIGINT NOT NULL,
    last_update TEXT NOT NULL,
    last_update_ns BIGINT NOT NULL,
    ended TEXT,
    ended_ns BIGINT,
    updates BIGINT NOT NULL,
    reason TEXT NOT NULL,
    search TEXT NOT NULL,
    document TEXT NOT NULL,
    workflow TEXT NOT NULL DEFAULT 'new',
    assignee TEXT,
    false_positive BIGINT NOT NULL DEFAULT 0,
    pinned BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX events_by_detected ON events (detected_ns, id);
CREATE INDEX events_by_last_update ON events (last_update_ns, id);
CREATE INDEX events_by_risk ON events (risk, id);
CREATE INDEX events_by_source ON events (source_key, detected_ns);
CREATE INDEX events_by_method ON events (method, submethod, detected_ns);

CREATE TABLE event_targets (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    ip TEXT,
    ip_key TEXT,
    mac TEXT,
    port BIGINT,
    PRIMARY KEY (event_id, position)
);
CREATE INDEX event_targets_by_ip ON event_targets (ip_key);

CREATE TABLE event_updates (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    updates BIGINT NOT NULL,
    at TEXT NOT NULL,
    at_ns BIGINT NOT NULL,
    risk BIGINT NOT NULL,
    probability BIGINT NOT NULL,
    target_count BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (event_id, state, updates)
);

CREATE TABLE event_attack (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    tactic TEXT NOT NULL,
    technique TEXT NOT NULL,
    PRIMARY KEY (event_id, position)
);
CREATE INDEX event_attack_by_technique ON event_attack (technique);

CREATE TABLE event_attributes (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (event_id, position)
);

CREATE TABLE event_evidence (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    flow_id TEXT,
    start TEXT,
    src_ip TEXT,
    src_port BIGINT,
    dst_ip TEXT,
    dst_port BIGINT,
    proto BIGINT,
    app TEXT,
    src_packets BIGINT,
    src_bytes BIGINT,
    dst_packets BIGINT,
    dst_bytes BIGINT,
    src_tcp_flags TEXT,
    dst_tcp_flags TEXT,
    PRIMARY KEY (event_id, position)
);

-- What people add. Nothing of it is touched when a later update of an event is stored.

CREATE TABLE event_labels (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    author TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (event_id, label)
);
CREATE INDEX event_labels_by_label ON event_labels (label);

CREATE TABLE event_categories (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    category TEXT NOT NULL,
    state TEXT NOT NULL,
    author TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (event_id, category)
);

CREATE TABLE event_comments (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    author TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (event_id, position)
);

CREATE TABLE event_false_positives (
    event_id TEXT NOT NULL PRIMARY KEY REFERENCES events (id) ON DELETE CASCADE,
    author TEXT NOT NULL,
    at TEXT NOT NULL,
    note TEXT NOT NULL
);

-- Each entry carries the hash of the one before it: see `weir events audit --verify`.
CREATE TABLE audit_trail (
    seq BIGINT NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);

-- Views for other tools: stable names and columns, version 1 (docs/guide/event-database.md). The WITH keeps PostgreSQL
-- from letting anybody write through them.

CREATE VIEW bi_version AS WITH one AS (SELECT 1 AS version) SELECT version FROM one;

CREATE VIEW bi_events AS WITH one AS (
    SELECT id, site, feed, instance, method, submethod, title,
        CASE priority WHEN 4 THEN 'critical' WHEN 3 THEN 'high' WHEN 2 THEN 'medium' WHEN 1 THEN 'low'
            ELSE 'informational' END AS priority,
        priority AS priority_rank, probability, risk, state, source_ip, source_mac, source_name, source_user,
        target_count, first_flow, first_flow_ns / 1000000000 AS first_flow_s, detected,
        detected_ns / 1000000000 AS detected_s, last_update, last_update_ns / 1000000000 AS last_update_s,
        ended, ended_ns / 1000000000 AS ended_s, updates, reason, workflow, assignee, false_positive, pinned, document
    FROM events
) SELECT * FROM one;

CREATE VIEW bi_targets AS WITH one AS (
    SELECT t.event_id, e.site, t.position, t.ip, t.mac, t.port
    FROM event_targets t JOIN events e ON e.id = t.event_id
) SELECT * FROM one;

CREATE VIEW bi_updates AS WITH one AS (
    SELECT u.event_id, e.site, u.state, u.updates, u.at, u.at_ns / 1000000000 AS at_s, u.risk, u.probability,
        u.target_count, u.reason
    FROM event_updates u JOIN events e ON e.id = u.event_id
) SELECT * FROM one;

CREATE VIEW bi_attack AS WITH one AS (
    SELECT a.event_id, e.site, a.tactic, a.technique FROM event_attack a JOIN events e ON e.id = a.event_id
) SELECT * FROM one;

CREATE VIEW bi_attributes AS WITH one AS (
    SELECT a.event_id, e.site, a.name, a.value FROM event_attributes a JOIN events e ON e.id = a.event_id
) SELECT * FROM one;

CREATE VIEW bi_evidence AS WITH one AS (
    SELECT v.event_id, e.site, v.position, v.flow_id, v.start, v.src_ip, v.src_port, v.dst_ip, v.dst_port, v.proto,
        v.app, v.src_packets, v.src_bytes, v.dst_packets, v.dst_bytes, v.src_tcp_flags, v.dst_tcp_flags
    FROM event_evidence v JOIN events e ON e.id = v.event_id
) SELECT * FROM one;

CREATE VIEW bi_labels AS WITH one AS (
    SELECT l.event_id, e.site, l.label, l.author, l.at FROM event_labels l JOIN events e ON e.id = l.event_id
) SELECT * FROM one;

CREATE VIEW bi_categories AS WITH one AS (
    SELECT c.event_id, e.site, c.category, c.state, c.author, c.at
    FROM event_categories c JOIN events e ON e.id = c.event_id
) SELECT * FROM one;

CREATE VIEW bi_comments AS WITH one AS (
    SELECT c.event_id, e.site, c.position, c.author, c.at, c.body
    FROM event_comments c JOIN events e ON e.id = c.event_id
) SELECT * FROM one;

CREATE VIEW bi_false_positives AS WITH one AS (
    SELECT f.event_id, e.site, f.author, f.at, f.note
    FROM event_false_positives f JOIN events e ON e.id = f.event_id
) SELECT * FROM one;

CREATE VIEW bi_audit AS WITH one AS (
    SELECT seq, at, actor, action, subject, detail, hash FROM audit_trail
) SELECT * FROM one;
