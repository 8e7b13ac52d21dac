-- One row, which a health check writes to tell that the database takes changes.
CREATE TABLE health (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    written_us BIGINT NOT NULL
);
