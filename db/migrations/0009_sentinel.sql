-- The sentinel: work that looks at erased users again, days later.

ALTER TABLE erasure_requests
  DROP CONSTRAINT erasure_requests_channel_check,
  ADD CONSTRAINT erasure_requests_channel_check CHECK (channel IN ('api', 'import', 'replay', 'sentinel'));

ALTER TABLE work
  DROP CONSTRAINT work_kind,
  ADD CONSTRAINT work_kind CHECK (kind IN (
    'discover', 'gather', 'package', 'submit', 'poll', 'verify', 'cancel', 'expire_package', 'sentinel')),
  DROP CONSTRAINT work_reason,
  ADD CONSTRAINT work_reason CHECK (reason IN (
    'queued', 'cooling_off', 'package_kept', 'subject_live', 'job_scheduled', 'job_running', 'job_unknown',
    'job_cancelled_by_somebody', 'job_stalled', 'settling', 'sentinel', 'conflict_without_job', 'connection_paused',
    'key_refused', 'rate_limited', 'rejected', 'redirected', 'server_error', 'unreadable', 'unreachable', 'no_answer',
    'internal_error'));

-- A look waits for weeks, so there are many more of them than of all other work: apart, they cost that nothing, and come
-- after it.
DROP INDEX work_due_by_connection;
CREATE INDEX work_due_by_connection ON work (connection, run_at) WHERE kind <> 'sentinel';
CREATE INDEX work_looks_by_connection ON work (connection, run_at) WHERE kind = 'sentinel';
