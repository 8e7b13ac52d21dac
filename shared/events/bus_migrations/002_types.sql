-- What each group has subscribed to, a JSON array, so that what it has yet to read can be told by others than itself.
ALTER TABLE consumer_group ADD COLUMN types TEXT;
