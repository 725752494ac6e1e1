-- Requests, tasks, audit events, work, idempotency keys, API keys.
-- Identifiers of data subjects stand here only as ciphertext (…_sealed) and as pseudonym (subject_ref).

CREATE TABLE api_keys (
  id            text PRIMARY KEY,
  name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
  -- SHA-256 of the token; the token itself is shown once and stored nowhere.
  token_hash    bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  scopes        text[] NOT NULL CHECK (scopes <@ ARRAY['requests:write', 'requests:read', 'admin'] AND cardinality(scopes) > 0),
  created_at    timestamptz NOT NULL DEFAULT now(),
  last_used_at  timestamptz,
  revoked_at    timestamptz
);

CREATE TABLE erasure_requests (
  id                   text PRIMARY KEY,
  state                text NOT NULL CONSTRAINT erasure_requests_state CHECK (state IN (
                         'received', 'awaiting_identity', 'awaiting_approval', 'cooling_off', 'on_hold', 'discovering',
                         'erasing', 'needs_attention', 'completed', 'refused', 'cancelled')),
  attention            text CONSTRAINT erasure_requests_attention CHECK (attention IN (
                         'tasks_need_attention', 'unroutable', 'project_unknown', 'no_projects')),
  regulation           text NOT NULL CHECK (regulation IN ('gdpr', 'uk_gdpr', 'ccpa')),
  channel              text NOT NULL CHECK (channel IN ('api')),
  connection           text NOT NULL,
  project_keys         text[],
  reference            text,
  subject_kind         text NOT NULL CHECK (subject_kind IN ('user_id')),
  subject_key_version  integer NOT NULL,
  subject_ref          bytea NOT NULL CHECK (octet_length(subject_ref) = 32),
  subject_sealed       bytea NOT NULL,
  note_sealed          bytea,
  submitted_by         text NOT NULL REFERENCES api_keys (id),
  received_at          timestamptz NOT NULL,
  created_at           timestamptz NOT NULL,
  updated_at           timestamptz NOT NULL DEFAULT now(),
  completed_at         timestamptz,
  cancel_requested_at  timestamptz,
  -- The next event's seq: moved in the transaction that writes the events, so that trails have no gap.
  event_count          integer NOT NULL DEFAULT 0,
  CHECK ((state = 'needs_attention') = (attention IS NOT NULL)),
  CHECK ((state = 'completed') = (completed_at IS NOT NULL))
);
CREATE INDEX erasure_requests_by_state ON erasure_requests (state, id DESC);
CREATE INDEX erasure_requests_by_reference ON erasure_requests (reference, id DESC) WHERE reference IS NOT NULL;
CREATE INDEX erasure_requests_by_subject ON erasure_requests (subject_ref);

CREATE TABLE tasks (
  id                 text PRIMARY KEY,
  request_id         text NOT NULL REFERENCES erasure_requests (id),
  connection         text NOT NULL,
  project_key        text,
  state              text NOT NULL CONSTRAINT tasks_state CHECK (state IN (
                       'pending', 'submitting', 'submitted', 'verifying', 'erased', 'residue', 'failed', 'unroutable',
                       'cancelled')),
  unroutable_reason  text CONSTRAINT tasks_unroutable_reason CHECK (unroutable_reason IN (
                       'empty', 'too_long', 'slash', 'control_character', 'dot_segment', 'lone_surrogate')),
  attention          text CONSTRAINT tasks_attention CHECK (attention IN (
                       'unroutable', 'residue_sessions', 'residue_user', 'residue_live', 'too_many_rounds',
                       'jobs_keep_failing', 'jobs_keep_being_cancelled', 'submission_rejected', 'unsendable')),
  -- One entry a job asked of OpenReplay; its shape is checked wherever it is read.
  rounds             jsonb NOT NULL DEFAULT '[]',
  verification       jsonb,
  verifying_since    timestamptz,
  created_at         timestamptz NOT NULL DEFAULT now(),
  updated_at         timestamptz NOT NULL DEFAULT now(),
  CHECK (project_key IS NOT NULL OR unroutable_reason IS NOT NULL),
  CHECK ((state IN ('residue', 'failed', 'unroutable')) = (attention IS NOT NULL)),
  UNIQUE NULLS NOT DISTINCT (request_id, connection, project_key)
);

-- The trail. Bytes are stored as they were encoded and hashed: never as jsonb, which reorders.
CREATE TABLE audit_events (
  request_id  text NOT NULL REFERENCES erasure_requests (id),
  seq         integer NOT NULL CHECK (seq >= 0),
  -- No list of its words here: a trail keeps the types of every version that wrote to it.
  type        text NOT NULL,
  bytes       bytea NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (request_id, seq)
);

-- What is still to be done: outbox and schedule in one. A lease that runs out makes the row due again, since taking
-- one moves run_at to its end.
CREATE TABLE work (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_id   text NOT NULL REFERENCES erasure_requests (id),
  task_id      text REFERENCES tasks (id),
  connection   text NOT NULL,
  project_key  text,
  kind         text NOT NULL CONSTRAINT work_kind CHECK (kind IN ('discover', 'submit', 'poll', 'verify', 'cancel')),
  run_at       timestamptz NOT NULL,
  reason       text NOT NULL CONSTRAINT work_reason CHECK (reason IN (
                 'queued', 'job_scheduled', 'job_running', 'job_unknown', 'job_cancelled_by_somebody', 'settling',
                 'conflict_without_job', 'key_refused', 'rate_limited', 'rejected', 'redirected', 'server_error',
                 'unreadable', 'unreachable', 'no_answer', 'internal_error')),
  attempts     integer NOT NULL DEFAULT 0,
  -- Set while the dispatcher has handed it out or a worker holds it.
  lease        uuid,
  -- True once a worker has taken it: it may have something under way at OpenReplay.
  held         boolean NOT NULL DEFAULT false,
  UNIQUE NULLS NOT DISTINCT (request_id, task_id),
  CHECK (lease IS NOT NULL OR NOT held)
);
CREATE INDEX work_due ON work (run_at);
CREATE INDEX work_leased ON work (id) WHERE lease IS NOT NULL;

CREATE TABLE idempotency_keys (
  api_key_id   text NOT NULL REFERENCES api_keys (id),
  key          text NOT NULL,
  fingerprint  bytea NOT NULL,
  -- Null only inside the transaction that reserves the key.
  request_id   text REFERENCES erasure_requests (id),
  body         text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (api_key_id, key)
);

-- Append-only: the trail can be added to, never changed.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit events are append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_append_only;
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_no_truncate;
