-- The mood of each OpenReplay server, shared by all processes: whether calls may leave for it, and at what pace.

CREATE TABLE connection_states (
  name           text PRIMARY KEY,
  -- The stop button.
  paused_at      timestamptz,
  paused_by      text REFERENCES api_keys (id),
  reason_sealed  bytea,
  -- What Lethe does by itself: no call before that time; then one at a time until one succeeds. Null while all is well.
  shut_until     timestamptz,
  shut_reason    text CONSTRAINT connection_states_shut_reason CHECK (shut_reason IN (
                   'key_refused', 'rate_limited', 'server_error', 'unreachable', 'no_answer')),
  -- Times it was shut since a call last succeeded, and calls that failed in a row.
  shuts          integer NOT NULL DEFAULT 0 CHECK (shuts >= 0),
  failures       integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
  -- A call is being tried; it is believed to be until then.
  trial_until    timestamptz,
  -- With a rate limit: when the next call may leave.
  next_call_at   timestamptz,
  CHECK ((shut_until IS NULL) = (shut_reason IS NULL)),
  CHECK ((paused_at IS NULL) = (paused_by IS NULL) AND (paused_at IS NULL) = (reason_sealed IS NULL))
);

-- Due work is looked for connection by connection, so that what waits for one server never stands before another's.
CREATE INDEX work_due_by_connection ON work (connection, run_at);
DROP INDEX work_due;
DROP INDEX work_leased;
CREATE INDEX work_leased ON work (connection) WHERE lease IS NOT NULL;
-- What needs no call goes on while a connection is shut.
CREATE INDEX work_due_without_calls ON work (connection, run_at) WHERE kind IN ('package', 'expire_package');

ALTER TABLE work
  -- Since when the step has been failing, whatever the reason; null after a success.
  ADD COLUMN failing_since timestamptz,
  DROP CONSTRAINT work_reason,
  ADD CONSTRAINT work_reason CHECK (reason IN (
    'queued', 'cooling_off', 'package_kept', 'subject_live', 'job_scheduled', 'job_running', 'job_unknown',
    'job_cancelled_by_somebody', 'job_stalled', 'settling', 'conflict_without_job', 'connection_paused', 'key_refused',
    'rate_limited', 'rejected', 'redirected', 'server_error', 'unreadable', 'unreachable', 'no_answer',
    'internal_error'));

ALTER TABLE tasks
  DROP CONSTRAINT tasks_attention,
  ADD CONSTRAINT tasks_attention CHECK (attention IN (
    'unroutable', 'residue_sessions', 'residue_user', 'residue_live', 'too_many_rounds', 'jobs_keep_failing',
    'jobs_keep_being_cancelled', 'jobs_keep_stalling', 'openreplay_keeps_failing', 'submission_rejected',
    'unsendable'));
