-- The tracestate goes along with the traceparent.
ALTER TABLE payment ADD COLUMN tracestate TEXT;
