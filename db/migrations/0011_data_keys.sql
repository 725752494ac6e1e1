-- A key for each request. What is sealed of it is sealed under that key, which is destroyed some time after it was closed.

CREATE TABLE data_keys (
  request_id  text PRIMARY KEY REFERENCES erasure_requests (id),
  -- Wrapped by the master key that bytes 2 to 9 name. Requests from before this migration have none.
  wrapped     bytea NOT NULL CHECK (octet_length(wrapped) = 69)
);

-- The keys that outlive requests: of pseudonyms, of fingerprints, and for what belongs to no request. Made at the first start.
CREATE TABLE vault_keys (
  use      text PRIMARY KEY,
  wrapped  bytea NOT NULL CHECK (octet_length(wrapped) = 69)
);

ALTER TABLE erasure_requests
  ALTER COLUMN subject_sealed DROP NOT NULL,
  ADD COLUMN closed_at             timestamptz,
  ADD COLUMN subject_destroyed_at  timestamptz;
UPDATE erasure_requests SET closed_at = COALESCE(completed_at, updated_at)
  WHERE state IN ('completed', 'refused', 'cancelled');
ALTER TABLE erasure_requests
  ADD CONSTRAINT erasure_requests_closed CHECK (
    (state IN ('completed', 'refused', 'cancelled')) = (closed_at IS NOT NULL)),
  -- Nothing that is open loses its subject, and nothing of it is left behind.
  ADD CONSTRAINT erasure_requests_subject_destroyed CHECK (
    (subject_sealed IS NULL) = (subject_destroyed_at IS NOT NULL)
    AND (subject_destroyed_at IS NULL OR (note_sealed IS NULL AND closed_at IS NOT NULL)));

ALTER TABLE work
  DROP CONSTRAINT work_kind,
  ADD CONSTRAINT work_kind CHECK (kind IN (
    'discover', 'gather', 'package', 'submit', 'poll', 'verify', 'cancel', 'expire_package', 'sentinel', 'destroy')),
  DROP CONSTRAINT work_reason,
  ADD CONSTRAINT work_reason CHECK (reason IN (
    'queued', 'cooling_off', 'package_kept', 'subject_live', 'job_scheduled', 'job_running', 'job_unknown',
    'job_cancelled_by_somebody', 'job_stalled', 'settling', 'sentinel', 'retention', 'conflict_without_job',
    'connection_paused', 'key_refused', 'rate_limited', 'rejected', 'redirected', 'server_error', 'unreadable',
    'unreachable', 'no_answer', 'internal_error')),
  DROP CONSTRAINT work_request_id_task_id_key;
-- One for each task and one for the request itself, as before; and beside them one that destroys.
CREATE UNIQUE INDEX work_one_of_each ON work (request_id, task_id, (kind = 'destroy')) NULLS NOT DISTINCT;

-- Destructions wait for weeks, as looks do, and concern no connection.
DROP INDEX work_due_by_connection;
CREATE INDEX work_due_by_connection ON work (connection, run_at) WHERE kind <> 'sentinel' AND kind <> 'destroy';
CREATE INDEX work_destructions ON work (run_at) WHERE kind = 'destroy';

-- Requests that are closed already: the step itself looks how long ago that was.
INSERT INTO work (request_id, connection, kind, run_at, reason)
SELECT id, COALESCE(connection, (SELECT min(connection) FROM tasks WHERE request_id = request.id), 'default'),
  'destroy', now(), 'retention'
FROM erasure_requests request WHERE closed_at IS NOT NULL;
