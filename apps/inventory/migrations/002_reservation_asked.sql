-- From when on it counts that nobody has confirmed an order: since it was reserved, or was last asked about.
ALTER TABLE reservation ADD COLUMN waiting_since_us BIGINT NOT NULL DEFAULT 0;
UPDATE reservation SET waiting_since_us = updated_us WHERE state = 'reserved';

-- Who has waited longest.
CREATE INDEX reservation_waiting ON reservation (waiting_since_us) WHERE state = 'reserved';
