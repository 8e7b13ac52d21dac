-- The embedded bus: the log that the processes of one machine share, and how far each group has come in it.
-- AUTOINCREMENT: a position is never given twice, also when the log was swept empty.
CREATE TABLE log (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    envelope TEXT NOT NULL,
    published_us INTEGER NOT NULL
);

CREATE TABLE consumer_group (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL
);
