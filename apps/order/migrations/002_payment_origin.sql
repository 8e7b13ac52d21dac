-- The request that a payment goes back to: what follows from its outcome carries it on.
ALTER TABLE payment ADD COLUMN request_id TEXT;
ALTER TABLE payment ADD COLUMN traceparent TEXT;
