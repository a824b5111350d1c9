-- A SQLite file. Yesterday `kilograms` was a number, and `crew` was there.
CREATE TABLE harvests (
    harvest_id   INTEGER PRIMARY KEY,
    field        TEXT NOT NULL,
    kilograms    TEXT,
    harvested_on DATE,
    organic      INTEGER
);
