-- The whole life of a request: gates, people's decisions, holds, dates, and subjects found by e-mail address.

ALTER TABLE erasure_requests
  ALTER COLUMN connection DROP NOT NULL,
  ADD COLUMN outcome               text CONSTRAINT erasure_requests_outcome CHECK (outcome IN (
                                     'erased', 'nothing_found', 'closed_by_decision')),
  ADD COLUMN held_from             text,
  -- A person's hold needs a person's release; a standing hold's ends with it.
  ADD COLUMN held_by               text CHECK (held_by IN ('person', 'standing_hold')),
  ADD COLUMN identity_required     boolean NOT NULL DEFAULT false,
  ADD COLUMN identity_verified_at  timestamptz,
  ADD COLUMN approvals_needed      smallint NOT NULL DEFAULT 0 CHECK (approvals_needed BETWEEN 0 AND 2),
  ADD COLUMN cooling_off_ms        bigint NOT NULL DEFAULT 0 CHECK (cooling_off_ms >= 0),
  ADD COLUMN cooling_off_until     timestamptz,
  -- How many tasks the submitter expects discovery to make.
  ADD COLUMN expected_tasks        integer CHECK (expected_tasks >= 0),
  -- Days in the configured time zone, by the rule of the regulation.
  ADD COLUMN due_on                date,
  ADD COLUMN extended_due_on       date,
  -- How those days were computed when the request came in; its shape is checked wherever it is read.
  ADD COLUMN clock                 jsonb,
  ADD COLUMN extended_at           timestamptz,
  DROP CONSTRAINT erasure_requests_subject_kind_check,
  ADD CONSTRAINT erasure_requests_subject_kind_check CHECK (subject_kind IN ('user_id', 'email')),
  DROP CONSTRAINT erasure_requests_channel_check,
  ADD CONSTRAINT erasure_requests_channel_check CHECK (channel IN ('api', 'import')),
  DROP CONSTRAINT erasure_requests_attention,
  ADD CONSTRAINT erasure_requests_attention CHECK (attention IN (
    'tasks_need_attention', 'unroutable', 'project_unknown', 'no_projects', 'too_many_matches', 'unexpected_matches')),
  DROP CONSTRAINT erasure_requests_check,
  -- A held request keeps what it needed a person for.
  ADD CONSTRAINT erasure_requests_check CHECK (
    (state <> 'needs_attention' OR attention IS NOT NULL)
    AND (attention IS NULL OR state IN ('needs_attention', 'on_hold'))),
  ADD CONSTRAINT erasure_requests_held_from CHECK (
    (state = 'on_hold') = (held_from IS NOT NULL) AND (held_from IS NULL) = (held_by IS NULL)),
  ADD CONSTRAINT erasure_requests_outcome_when_completed CHECK (
    (state = 'completed') = (outcome IS NOT NULL)) NOT VALID,
  ADD CONSTRAINT erasure_requests_submitter UNIQUE (id, submitted_by);
UPDATE erasure_requests SET outcome = 'erased' WHERE state = 'completed';
ALTER TABLE erasure_requests VALIDATE CONSTRAINT erasure_requests_outcome_when_completed;
CREATE INDEX erasure_requests_by_due ON erasure_requests (COALESCE(extended_due_on, due_on))
  WHERE state NOT IN ('completed', 'refused', 'cancelled');

-- Every pseudonym under which a request's subject is known: as asked, and as found. Holds and related requests are
-- looked up by it.
CREATE TABLE request_subjects (
  request_id   text NOT NULL REFERENCES erasure_requests (id),
  ref          bytea NOT NULL CHECK (octet_length(ref) = 32),
  kind         text NOT NULL CHECK (kind IN ('user_id', 'email')),
  key_version  integer NOT NULL,
  PRIMARY KEY (request_id, ref)
);
CREATE INDEX request_subjects_by_ref ON request_subjects (ref);
INSERT INTO request_subjects SELECT id, subject_ref, subject_kind, subject_key_version FROM erasure_requests;

-- A task is one user id in one project; a subject found by e-mail address can have several.
ALTER TABLE tasks
  ADD COLUMN user_sealed  bytea,
  ADD COLUMN user_ref     bytea CHECK (octet_length(user_ref) = 32),
  -- When the subject was first seen live; submission waits for the session to end.
  ADD COLUMN live_since   timestamptz,
  DROP CONSTRAINT tasks_request_id_connection_project_key_key,
  ADD CONSTRAINT tasks_one_user_in_one_project UNIQUE NULLS NOT DISTINCT (request_id, connection, project_key, user_ref);

ALTER TABLE work
  DROP CONSTRAINT work_reason,
  ADD CONSTRAINT work_reason CHECK (reason IN (
    'queued', 'cooling_off', 'subject_live', 'job_scheduled', 'job_running', 'job_unknown', 'job_cancelled_by_somebody',
    'settling', 'conflict_without_job', 'key_refused', 'rate_limited', 'rejected', 'redirected', 'server_error',
    'unreadable', 'unreachable', 'no_answer', 'internal_error'));

-- What people decided. Their words are sealed: they can name the subject.
CREATE TABLE decisions (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  request_id   text NOT NULL REFERENCES erasure_requests (id),
  kind         text NOT NULL CONSTRAINT decisions_kind CHECK (kind IN (
                 'identity_verified', 'approved', 'refused', 'held', 'released', 'extended', 'retried', 'closed',
                 'cancelled')),
  -- Method of identification or ground of refusal.
  ground       text,
  text_sealed  bytea,
  decided_by   text NOT NULL REFERENCES api_keys (id),
  decided_at   timestamptz NOT NULL
);
CREATE INDEX decisions_by_request ON decisions (request_id, id);

-- Who approves is never who submitted, whatever the code does.
CREATE TABLE approvals (
  request_id    text NOT NULL,
  approved_by   text NOT NULL REFERENCES api_keys (id),
  submitted_by  text NOT NULL,
  approved_at   timestamptz NOT NULL,
  PRIMARY KEY (request_id, approved_by),
  FOREIGN KEY (request_id, submitted_by) REFERENCES erasure_requests (id, submitted_by),
  CONSTRAINT approvals_by_others CHECK (approved_by <> submitted_by)
);

-- Standing legal holds by subject: they catch later requests, too.
CREATE TABLE holds (
  id                     text PRIMARY KEY,
  ref                    bytea NOT NULL CHECK (octet_length(ref) = 32),
  kind                   text NOT NULL CHECK (kind IN ('user_id', 'email')),
  key_version            integer NOT NULL,
  subject_sealed         bytea NOT NULL,
  reason_sealed          bytea NOT NULL,
  created_by             text NOT NULL REFERENCES api_keys (id),
  created_at             timestamptz NOT NULL,
  released_by            text REFERENCES api_keys (id),
  released_at            timestamptz,
  release_reason_sealed  bytea,
  CHECK ((released_at IS NULL) = (released_by IS NULL))
);
CREATE INDEX holds_standing ON holds (ref) WHERE released_at IS NULL;
