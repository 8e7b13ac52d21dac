-- One row, which a health check writes to tell that the database takes changes.
CREATE TABLE health (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    written_us INTEGER NOT NULL
);
