-- Searches people keep: of flows, events or hosts. The query is what the interface made it, as JSON text.

CREATE TABLE saved_searches (
    id TEXT NOT NULL PRIMARY KEY,
    site TEXT NOT NULL,
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    shared BIGINT NOT NULL,
    changed TEXT NOT NULL,
    changed_ns BIGINT NOT NULL
);
CREATE INDEX saved_searches_by_owner ON saved_searches (site, owner, kind);
