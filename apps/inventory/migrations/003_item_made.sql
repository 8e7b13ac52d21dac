-- When an item was made, so that what is new can be listed. What an older program makes after this has no time, and is
-- listed each time.
ALTER TABLE item ADD COLUMN made_us BIGINT NOT NULL DEFAULT 9223372036854775807;
UPDATE item SET made_us = updated_us;
CREATE INDEX item_made ON item (made_us, sku);
