-- Answers already given, by idempotency key. Rows are in order of time, so that sweeping reads only old ones; what is
-- looked up is a compact digest of caller and key, since an index on the two themselves costs a third of the throughput.
CREATE TABLE idempotency (
    id         INTEGER PRIMARY KEY,
    lookup     TEXT    NOT NULL,
    caller     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    headers    TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    created_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX idempotency_lookup ON idempotency (lookup);
