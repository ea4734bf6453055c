-- Moments are nanoseconds since the epoch unless the name says minutes or days. A migration never changes once it
-- was in a release: the next one is a file of its own.

-- "ATLY": how a store is told from any other file of SQLite.
PRAGMA application_id = 1096043609;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Names of checks and objectives, so that they don't stand in each of a million rows.
CREATE TABLE name (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE alert (
    key TEXT PRIMARY KEY,
    state TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE episode (
    id INTEGER PRIMARY KEY,
    episode TEXT NOT NULL UNIQUE,
    alert TEXT NOT NULL,
    severity TEXT NOT NULL,
    title TEXT NOT NULL,
    summary TEXT NOT NULL,
    fired INTEGER NOT NULL,
    ended INTEGER
);
CREATE INDEX episode_fired ON episode (fired);

CREATE TABLE silence (
    id TEXT PRIMARY KEY,
    until INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    thread TEXT NOT NULL,
    channel TEXT NOT NULL,
    backups TEXT NOT NULL,
    notice TEXT NOT NULL,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT,
    settled INTEGER
);
CREATE INDEX outbox_settled ON outbox (settled);

-- Minutes that may still change. The day that they go to holds what was packed before them.
CREATE TABLE slice (
    minute INTEGER NOT NULL,
    name INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    good INTEGER NOT NULL,
    bad INTEGER NOT NULL,
    excluded INTEGER NOT NULL,
    PRIMARY KEY (minute, name, generation)
) WITHOUT ROWID;

-- All minutes of one day of one objective, exact, as `pack.rs` writes them.
CREATE TABLE slice_day (
    day INTEGER NOT NULL,
    name INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    minutes BLOB NOT NULL,
    PRIMARY KEY (day, name, generation)
);

CREATE TABLE baseline_day (
    day INTEGER NOT NULL,
    name INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    count INTEGER NOT NULL,
    sum REAL NOT NULL,
    squares REAL NOT NULL,
    PRIMARY KEY (day, name, generation)
) WITHOUT ROWID;

-- Time first: what is new is appended, what is old lies together and goes together. Rows that may be longer than a
-- kilobyte are in tables with a row id: the others would give each of them a page of its own.
CREATE TABLE histogram_minute (
    start INTEGER NOT NULL,
    name INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    degraded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    good BLOB NOT NULL,
    bad BLOB NOT NULL,
    PRIMARY KEY (start, name)
) WITHOUT ROWID;

CREATE TABLE histogram_hour (
    start INTEGER NOT NULL,
    name INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    degraded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    good BLOB NOT NULL,
    bad BLOB NOT NULL,
    PRIMARY KEY (start, name)
);

CREATE TABLE histogram_day (
    start INTEGER NOT NULL,
    name INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    degraded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    good BLOB NOT NULL,
    bad BLOB NOT NULL,
    PRIMARY KEY (start, name)
);

-- Hours (span 60) and days (span 1440) whose parts are newer than they.
CREATE TABLE unrolled (
    span INTEGER NOT NULL,
    start INTEGER NOT NULL,
    name INTEGER NOT NULL,
    PRIMARY KEY (span, start, name)
) WITHOUT ROWID;

CREATE TABLE cursor (
    name TEXT PRIMARY KEY,
    upto INTEGER NOT NULL
) WITHOUT ROWID;

-- Lines of JSON, deflated. Small chunks are joined when they are over.
CREATE TABLE fact (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    raw_bytes INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    joined INTEGER NOT NULL,
    lines BLOB NOT NULL
);
CREATE INDEX fact_loose ON fact (id) WHERE joined = 0;
