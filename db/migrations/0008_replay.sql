-- Requests that Lethe opens itself, for what a database restored from a backup does not know to be erased.
ALTER TABLE erasure_requests
  DROP CONSTRAINT erasure_requests_channel_check,
  ADD CONSTRAINT erasure_requests_channel_check CHECK (channel IN ('api', 'import', 'replay'));
