-- What went wrong with an event that is set aside or dead, a row each time; of each event the latest are kept
-- (events/failure.h), until it is through.
CREATE TABLE event_failure (
    number INTEGER PRIMARY KEY,
    consumer_group TEXT NOT NULL,
    event_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    failed_us INTEGER NOT NULL,
    cause TEXT NOT NULL
);
CREATE INDEX event_failure_event ON event_failure (event_id, consumer_group, number);

-- What operators have decided about dead letters; the latest are kept (events/dead_letter.h). The envelope is there
-- when the letter was discarded, so that it can still be put right.
CREATE TABLE dead_letter_decision (
    number INTEGER PRIMARY KEY,
    decision TEXT NOT NULL,
    decided_us INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    reason TEXT,
    consumer_group TEXT NOT NULL,
    subject TEXT NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    envelope TEXT,
    attempts INTEGER NOT NULL,
    cause TEXT,
    parked_us INTEGER NOT NULL,
    died_us INTEGER NOT NULL
);
CREATE INDEX dead_letter_event ON dead_letter (event_id);
