-- Perspectives: how much events matter to one audience. The document is one JSON object (weir_model::Perspective); version
-- counts its changes, so that two people do not overwrite each other unseen.

CREATE TABLE perspectives (
    site TEXT NOT NULL,
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    document TEXT NOT NULL,
    author TEXT NOT NULL,
    changed TEXT NOT NULL,
    changed_ns BIGINT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (site, name)
);

-- Which one somebody looks through when nothing else is said.
CREATE TABLE perspective_choices (
    site TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (site, owner)
);
