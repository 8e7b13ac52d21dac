-- What a service needs to send and to take events. INTEGER is 64 bits wide. The numbers are given by the application,
-- one past the highest there is, inside the one writer's transaction.

-- Events that wait for the relay (events/outbox.h), oldest first.
CREATE TABLE outbox (
    position INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    subject TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    traceparent TEXT,
    request_id TEXT,
    data TEXT
);

-- Events that were taken charge of: applied, or set aside below. A repeat finds itself here.
CREATE TABLE inbox (
    number INTEGER PRIMARY KEY,
    consumer_group TEXT NOT NULL,
    event_id TEXT NOT NULL,
    received_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX inbox_event ON inbox (event_id, consumer_group);

-- Events that wait for another try, and those of the same subject that wait behind them: these have no next_try_us.
CREATE TABLE event_parked (
    number INTEGER PRIMARY KEY,
    consumer_group TEXT NOT NULL,
    subject TEXT NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    envelope TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_try_us INTEGER,
    cause TEXT,
    parked_us INTEGER NOT NULL
);
CREATE INDEX event_parked_subject ON event_parked (consumer_group, subject, number);
CREATE INDEX event_parked_next_try ON event_parked (consumer_group, next_try_us);

-- Events that failed attempts_max times, until an operator sends them again or drops them (events/dead_letter.h).
CREATE TABLE dead_letter (
    number INTEGER PRIMARY KEY,
    consumer_group TEXT NOT NULL,
    subject TEXT NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    envelope TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    cause TEXT,
    parked_us INTEGER NOT NULL,
    died_us INTEGER NOT NULL
);
