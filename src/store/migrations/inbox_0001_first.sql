-- What the shop and its vendors say by themselves, beside the store: a flood of it must not hold up alerts. Moments are
-- nanoseconds since the epoch unless the name says minutes or hours.

-- "ATLI".
PRAGMA application_id = 1096043593;

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- Minutes in which nobody listened, the last one included.
CREATE TABLE deaf (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
);

-- What is counted, so that its name does not stand in each row.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    class TEXT NOT NULL,
    UNIQUE (source, name, class)
);

-- What was received in minutes that are not over: a row for each time that somebody was answered.
CREATE TABLE log (
    id INTEGER PRIMARY KEY,
    minute INTEGER NOT NULL,
    tallies BLOB NOT NULL
);

-- Minutes that are over, and hours made from them. By series first: a check asks for a few of them over a long time.
CREATE TABLE minute (
    start INTEGER NOT NULL,
    series INTEGER NOT NULL,
    count INTEGER NOT NULL,
    took BLOB NOT NULL,
    PRIMARY KEY (series, start)
);

CREATE TABLE hour (
    start INTEGER NOT NULL,
    series INTEGER NOT NULL,
    count INTEGER NOT NULL,
    took BLOB NOT NULL,
    PRIMARY KEY (series, start)
);

CREATE INDEX minute_start ON minute (start);
CREATE INDEX hour_start ON hour (start);

-- Senders' own words for batches: one that comes again brings nothing new.
CREATE TABLE seen (
    key TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX seen_at ON seen (at);

-- What vendors told. State: `waiting` to be worked through, `done`, `aside` for a person to look at, or `seen` by one.
CREATE TABLE letter (
    vendor TEXT NOT NULL,
    id TEXT NOT NULL,
    account TEXT NOT NULL,
    counts INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    received INTEGER NOT NULL,
    thing TEXT,
    thing_id TEXT,
    version INTEGER,
    thing_state TEXT,
    reason TEXT,
    amount INTEGER,
    currency TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL,
    error TEXT,
    PRIMARY KEY (vendor, id)
) WITHOUT ROWID;
CREATE INDEX letter_waiting ON letter (not_before) WHERE state = 'waiting';
CREATE INDEX letter_aside ON letter (vendor) WHERE state = 'aside';
CREATE INDEX letter_received ON letter (vendor, received);

-- The newest that is known of each payment, refund, email, and what was counted of it.
CREATE TABLE thing (
    vendor TEXT NOT NULL,
    thing TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    counted INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (vendor, thing, id)
) WITHOUT ROWID;
CREATE INDEX thing_changed ON thing (changed);

CREATE TABLE ping (
    id INTEGER PRIMARY KEY,
    job TEXT NOT NULL,
    at INTEGER NOT NULL,
    word TEXT NOT NULL,
    code INTEGER,
    run TEXT,
    took_us INTEGER
);
CREATE INDEX ping_job ON ping (job, at);
