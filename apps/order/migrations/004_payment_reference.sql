-- What the gateway calls the charge, and when it was asked first for what is due (NULL: not yet): what it forgets about
-- keys after a day must not be charged again. asking: 1 while it is being asked, 2 when it has had news meanwhile.
ALTER TABLE payment ADD COLUMN reference TEXT;
ALTER TABLE payment ADD COLUMN asked_us BIGINT;
ALTER TABLE payment ADD COLUMN asking INTEGER NOT NULL DEFAULT 0;
