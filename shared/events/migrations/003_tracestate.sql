-- The tracestate goes along with the traceparent (W3C Trace Context).
ALTER TABLE outbox ADD COLUMN tracestate TEXT;
