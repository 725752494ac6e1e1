-- Access packages (Art. 15 and 20): what OpenReplay holds of a subject, sealed until it is handed out once or expires.

ALTER TABLE erasure_requests
  ADD COLUMN type text NOT NULL DEFAULT 'erasure' CONSTRAINT erasure_requests_type CHECK (type IN (
                    'erasure', 'access', 'access_and_erasure')),
  DROP CONSTRAINT erasure_requests_state,
  ADD CONSTRAINT erasure_requests_state CHECK (state IN (
    'received', 'awaiting_identity', 'awaiting_approval', 'cooling_off', 'on_hold', 'discovering', 'gathering',
    'erasing', 'needs_attention', 'completed', 'refused', 'cancelled')),
  DROP CONSTRAINT erasure_requests_attention,
  ADD CONSTRAINT erasure_requests_attention CHECK (attention IN (
    'tasks_need_attention', 'unroutable', 'project_unknown', 'no_projects', 'too_many_matches', 'unexpected_matches',
    'package_incomplete')),
  DROP CONSTRAINT erasure_requests_outcome,
  ADD CONSTRAINT erasure_requests_outcome CHECK (outcome IN (
    'erased', 'nothing_found', 'closed_by_decision', 'access_provided')),
  -- Nothing is ever erased of who asked for access alone.
  ADD CONSTRAINT erasure_requests_access_alone CHECK (
    type <> 'access' OR (state <> 'erasing' AND held_from IS DISTINCT FROM 'erasing' AND outcome IS DISTINCT FROM 'erased'));

ALTER TABLE tasks
  DROP CONSTRAINT tasks_state,
  ADD CONSTRAINT tasks_state CHECK (state IN (
    'pending', 'submitting', 'submitted', 'verifying', 'gathered', 'erased', 'residue', 'failed', 'unroutable',
    'cancelled'));

ALTER TABLE work
  DROP CONSTRAINT work_kind,
  ADD CONSTRAINT work_kind CHECK (kind IN (
    'discover', 'gather', 'package', 'submit', 'poll', 'verify', 'cancel', 'expire_package')),
  DROP CONSTRAINT work_reason,
  ADD CONSTRAINT work_reason CHECK (reason IN (
    'queued', 'cooling_off', 'package_kept', 'subject_live', 'job_scheduled', 'job_running', 'job_unknown',
    'job_cancelled_by_somebody', 'settling', 'conflict_without_job', 'key_refused', 'rate_limited', 'rejected',
    'redirected', 'server_error', 'unreadable', 'unreachable', 'no_answer', 'internal_error'));

CREATE TABLE access_packages (
  request_id       text PRIMARY KEY REFERENCES erasure_requests (id),
  state            text NOT NULL CONSTRAINT access_packages_state CHECK (state IN (
                     'gathering', 'ready', 'downloaded', 'expired', 'withdrawn')),
  created_at       timestamptz NOT NULL,
  ready_at         timestamptz,
  expires_at       timestamptz,
  downloaded_at    timestamptz,
  -- Plain bytes of all files, and pieces that could not be read; known once it is ready.
  bytes            bigint,
  gaps             integer,
  manifest_sealed  bytea,
  -- The one download under way, and until when it is believed to be.
  download_lease   uuid,
  download_until   timestamptz,
  CHECK (state <> 'ready' OR (ready_at IS NOT NULL AND expires_at IS NOT NULL AND manifest_sealed IS NOT NULL)),
  CHECK ((state = 'downloaded') = (downloaded_at IS NOT NULL))
);

-- How far the gathering of each task has come. Session ids stand in it, so it is sealed.
CREATE TABLE package_tasks (
  task_id          text PRIMARY KEY REFERENCES tasks (id),
  request_id       text NOT NULL REFERENCES access_packages (request_id),
  progress_sealed  bytea,
  gaps             integer NOT NULL DEFAULT 0,
  gathered_at      timestamptz
);
CREATE INDEX package_tasks_by_request ON package_tasks (request_id);

-- The package itself, in pieces that are only ever added; each is sealed for its place.
CREATE TABLE package_parts (
  request_id  text NOT NULL REFERENCES access_packages (request_id),
  task_id     text NOT NULL REFERENCES package_tasks (task_id),
  file        text NOT NULL CONSTRAINT package_parts_file CHECK (file IN ('user', 'sessions', 'events', 'gaps')),
  seq         integer NOT NULL CHECK (seq >= 0),
  sealed      bytea NOT NULL,
  PRIMARY KEY (request_id, task_id, file, seq)
);
-- Ciphertext cannot be compressed.
ALTER TABLE package_parts ALTER COLUMN sealed SET STORAGE EXTERNAL;
