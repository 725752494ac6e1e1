-- What db/migrations make of an empty database, to be read and compared; it is not run by anything.
-- Written by `npm run schema`, and a test fails when it is out of date: change a migration, never this file.

CREATE TABLE access_packages (
  request_id       text                      NOT NULL,
  state            text                      NOT NULL,
  created_at       timestamp with time zone  NOT NULL,
  ready_at         timestamp with time zone,
  expires_at       timestamp with time zone,
  downloaded_at    timestamp with time zone,
  bytes            bigint,
  gaps             integer,
  manifest_sealed  bytea,
  download_lease   uuid,
  download_until   timestamp with time zone,
  CONSTRAINT access_packages_pkey PRIMARY KEY (request_id),
  CONSTRAINT access_packages_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id),
  CONSTRAINT access_packages_check CHECK (state <> 'ready'::text OR ready_at IS NOT NULL AND expires_at IS NOT NULL AND manifest_sealed IS NOT NULL),
  CONSTRAINT access_packages_check1 CHECK ((state = 'downloaded'::text) = (downloaded_at IS NOT NULL)),
  CONSTRAINT access_packages_state CHECK (state = ANY (ARRAY['gathering'::text, 'ready'::text, 'downloaded'::text, 'expired'::text, 'withdrawn'::text]))
);

CREATE TABLE admin_events (
  seq         integer                   NOT NULL,
  type        text                      NOT NULL,
  bytes       bytea                     NOT NULL,
  created_at  timestamp with time zone  NOT NULL DEFAULT now(),
  CONSTRAINT admin_events_pkey PRIMARY KEY (seq),
  CONSTRAINT admin_events_seq_check CHECK (seq >= 0)
);
CREATE TRIGGER admin_events_append_only BEFORE DELETE OR UPDATE ON admin_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE admin_events ENABLE ALWAYS TRIGGER admin_events_append_only;
CREATE TRIGGER admin_events_no_truncate BEFORE TRUNCATE ON admin_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE admin_events ENABLE ALWAYS TRIGGER admin_events_no_truncate;
CREATE TRIGGER admin_events_unsealed AFTER INSERT ON admin_events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed_admin_events();
ALTER TABLE admin_events ENABLE ALWAYS TRIGGER admin_events_unsealed;

CREATE TABLE api_key_old_tokens (
  token_hash   bytea                     NOT NULL,
  api_key_id   text                      NOT NULL,
  valid_until  timestamp with time zone  NOT NULL,
  CONSTRAINT api_key_old_tokens_pkey PRIMARY KEY (token_hash),
  CONSTRAINT api_key_old_tokens_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys(id),
  CONSTRAINT api_key_old_tokens_token_hash_check CHECK (octet_length(token_hash) = 32)
);
CREATE INDEX api_key_old_tokens_by_key ON api_key_old_tokens USING btree (api_key_id);

CREATE TABLE api_keys (
  id                   text                      NOT NULL,
  name                 text                      NOT NULL,
  token_hash           bytea                     NOT NULL,
  scopes               text[]                    NOT NULL,
  created_at           timestamp with time zone  NOT NULL DEFAULT now(),
  last_used_at         timestamp with time zone,
  revoked_at           timestamp with time zone,
  created_by           text,
  expires_at           timestamp with time zone,
  rotated_at           timestamp with time zone,
  rate_limit_requests  integer,
  rate_limit_seconds   integer,
  made_for             text,
  CONSTRAINT api_keys_pkey PRIMARY KEY (id),
  CONSTRAINT api_keys_token_hash_key UNIQUE (token_hash),
  CONSTRAINT api_keys_created_by_fkey FOREIGN KEY (created_by) REFERENCES api_keys(id),
  CONSTRAINT api_keys_name_check CHECK (length(name) >= 1 AND length(name) <= 100),
  CONSTRAINT api_keys_rate_limit CHECK ((rate_limit_requests IS NULL) = (rate_limit_seconds IS NULL)),
  CONSTRAINT api_keys_rate_limit_requests_check CHECK (rate_limit_requests > 0),
  CONSTRAINT api_keys_rate_limit_seconds_check CHECK (rate_limit_seconds > 0),
  CONSTRAINT api_keys_scopes_check CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['requests:write'::text, 'requests:read'::text, 'requests:approve'::text, 'holds:write'::text, 'audit:read'::text, 'reports:read'::text, 'access:read'::text, 'callbacks:write'::text, 'admin'::text]),
  CONSTRAINT api_keys_token_hash_check CHECK (octet_length(token_hash) = 32)
);
CREATE UNIQUE INDEX api_keys_made_for ON api_keys USING btree (made_for) WHERE revoked_at IS NULL;

CREATE TABLE approvals (
  request_id    text                      NOT NULL,
  approved_by   text                      NOT NULL,
  submitted_by  text                      NOT NULL,
  approved_at   timestamp with time zone  NOT NULL,
  CONSTRAINT approvals_pkey PRIMARY KEY (request_id, approved_by),
  CONSTRAINT approvals_approved_by_fkey FOREIGN KEY (approved_by) REFERENCES api_keys(id),
  CONSTRAINT approvals_request_id_submitted_by_fkey FOREIGN KEY (request_id, submitted_by) REFERENCES erasure_requests(id, submitted_by),
  CONSTRAINT approvals_by_others CHECK (approved_by <> submitted_by)
);

CREATE TABLE audit_events (
  request_id  text                      NOT NULL,
  seq         integer                   NOT NULL,
  type        text                      NOT NULL,
  bytes       bytea                     NOT NULL,
  created_at  timestamp with time zone  NOT NULL DEFAULT now(),
  CONSTRAINT audit_events_pkey PRIMARY KEY (request_id, seq),
  CONSTRAINT audit_events_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id),
  CONSTRAINT audit_events_seq_check CHECK (seq >= 0)
);
CREATE TRIGGER audit_events_append_only BEFORE DELETE OR UPDATE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_append_only;
CREATE TRIGGER audit_events_deliveries AFTER INSERT ON audit_events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_deliveries();
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_no_truncate;
CREATE TRIGGER audit_events_unsealed AFTER INSERT ON audit_events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed_events();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_unsealed;

CREATE TABLE callbacks (
  id                 text                      NOT NULL,
  name               text                      NOT NULL,
  url_sealed         bytea                     NOT NULL,
  secret_sealed      bytea                     NOT NULL,
  old_secret_sealed  bytea,
  old_secret_until   timestamp with time zone,
  events             text[]                    NOT NULL,
  state              text                      NOT NULL DEFAULT 'active'::text,
  created_by         text                      NOT NULL,
  created_at         timestamp with time zone  NOT NULL,
  ended_at           timestamp with time zone,
  last_success_at    timestamp with time zone,
  failing_since      timestamp with time zone,
  CONSTRAINT callbacks_pkey PRIMARY KEY (id),
  CONSTRAINT callbacks_created_by_fkey FOREIGN KEY (created_by) REFERENCES api_keys(id),
  CONSTRAINT callbacks_events CHECK (cardinality(events) > 0 AND events <@ ARRAY['request.received'::text, 'request.awaiting_identity'::text, 'request.awaiting_approval'::text, 'request.on_hold'::text, 'request.erasing'::text, 'request.needs_attention'::text, 'request.extended'::text, 'request.completed'::text, 'request.refused'::text, 'request.cancelled'::text, 'deadline.at_risk'::text]),
  CONSTRAINT callbacks_old_secret CHECK ((old_secret_sealed IS NULL) = (old_secret_until IS NULL)),
  CONSTRAINT callbacks_state CHECK (state = ANY (ARRAY['active'::text, 'disabled'::text, 'gone'::text])),
  CONSTRAINT callbacks_when_ended CHECK ((state = 'active'::text) = (ended_at IS NULL))
);

CREATE TABLE checkpoints (
  size       bigint                    NOT NULL,
  root       bytea                     NOT NULL,
  note       text                      NOT NULL,
  signed_at  timestamp with time zone  NOT NULL DEFAULT now(),
  CONSTRAINT checkpoints_pkey PRIMARY KEY (size),
  CONSTRAINT checkpoints_root_check CHECK (octet_length(root) = 32),
  CONSTRAINT checkpoints_size_check CHECK (size > 0)
);
CREATE TRIGGER checkpoints_append_only BEFORE DELETE OR UPDATE ON checkpoints FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_append_only;
CREATE TRIGGER checkpoints_no_truncate BEFORE TRUNCATE ON checkpoints FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_no_truncate;

CREATE TABLE connection_states (
  name           text                      NOT NULL,
  paused_at      timestamp with time zone,
  paused_by      text,
  reason_sealed  bytea,
  shut_until     timestamp with time zone,
  shut_reason    text,
  shuts          integer                   NOT NULL DEFAULT 0,
  failures       integer                   NOT NULL DEFAULT 0,
  trial_until    timestamp with time zone,
  next_call_at   timestamp with time zone,
  CONSTRAINT connection_states_pkey PRIMARY KEY (name),
  CONSTRAINT connection_states_paused_by_fkey FOREIGN KEY (paused_by) REFERENCES api_keys(id),
  CONSTRAINT connection_states_check CHECK ((shut_until IS NULL) = (shut_reason IS NULL)),
  CONSTRAINT connection_states_check1 CHECK ((paused_at IS NULL) = (paused_by IS NULL) AND (paused_at IS NULL) = (reason_sealed IS NULL)),
  CONSTRAINT connection_states_failures_check CHECK (failures >= 0),
  CONSTRAINT connection_states_shut_reason CHECK (shut_reason = ANY (ARRAY['key_refused'::text, 'rate_limited'::text, 'server_error'::text, 'unreachable'::text, 'no_answer'::text])),
  CONSTRAINT connection_states_shuts_check CHECK (shuts >= 0)
);

CREATE TABLE data_keys (
  request_id  text   NOT NULL,
  wrapped     bytea  NOT NULL,
  CONSTRAINT data_keys_pkey PRIMARY KEY (request_id),
  CONSTRAINT data_keys_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id),
  CONSTRAINT data_keys_wrapped_check CHECK (octet_length(wrapped) = 69)
);

CREATE TABLE decisions (
  id           bigint                    NOT NULL GENERATED ALWAYS AS IDENTITY,
  request_id   text                      NOT NULL,
  kind         text                      NOT NULL,
  ground       text,
  text_sealed  bytea,
  decided_by   text                      NOT NULL,
  decided_at   timestamp with time zone  NOT NULL,
  CONSTRAINT decisions_pkey PRIMARY KEY (id),
  CONSTRAINT decisions_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES api_keys(id),
  CONSTRAINT decisions_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id),
  CONSTRAINT decisions_kind CHECK (kind = ANY (ARRAY['identity_verified'::text, 'approved'::text, 'refused'::text, 'held'::text, 'released'::text, 'extended'::text, 'retried'::text, 'closed'::text, 'cancelled'::text]))
);
CREATE INDEX decisions_by_request ON decisions USING btree (request_id, id);

CREATE TABLE deliveries (
  id           text                      NOT NULL,
  place        bigint                    NOT NULL GENERATED ALWAYS AS IDENTITY,
  callback_id  text,
  request_id   text,
  event_seq    integer,
  type         text                      NOT NULL,
  created_at   timestamp with time zone  NOT NULL DEFAULT now(),
  state        text                      NOT NULL DEFAULT 'waiting'::text,
  run_at       timestamp with time zone,
  lease        uuid,
  attempts     integer                   NOT NULL DEFAULT 0,
  intended_at  timestamp with time zone,
  settled_at   timestamp with time zone,
  CONSTRAINT deliveries_pkey PRIMARY KEY (id),
  CONSTRAINT deliveries_callback_id_fkey FOREIGN KEY (callback_id) REFERENCES callbacks(id) ON DELETE CASCADE,
  CONSTRAINT deliveries_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id),
  CONSTRAINT deliveries_event CHECK ((request_id IS NULL) = (event_seq IS NULL) AND (callback_id IS NOT NULL OR request_id IS NOT NULL)),
  CONSTRAINT deliveries_state CHECK (state = ANY (ARRAY['waiting'::text, 'delivered'::text, 'failed'::text])),
  CONSTRAINT deliveries_when_due CHECK ((state = 'waiting'::text) = (run_at IS NOT NULL) AND (run_at IS NULL) = (settled_at IS NOT NULL) AND (lease IS NULL OR run_at IS NOT NULL))
);
CREATE INDEX deliveries_due_answers ON deliveries USING btree (run_at) WHERE state = 'waiting'::text AND callback_id IS NULL;
CREATE INDEX deliveries_due_of_callback ON deliveries USING btree (callback_id, run_at) WHERE state = 'waiting'::text;
CREATE INDEX deliveries_of_callback ON deliveries USING btree (callback_id, place);
CREATE INDEX deliveries_of_request ON deliveries USING btree (request_id, place) WHERE callback_id IS NULL;
CREATE INDEX deliveries_settled ON deliveries USING btree (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE delivery_attempts (
  id           bigint                    NOT NULL GENERATED ALWAYS AS IDENTITY,
  delivery_id  text                      NOT NULL,
  at           timestamp with time zone  NOT NULL DEFAULT now(),
  outcome      text                      NOT NULL,
  status       integer,
  duration_ms  integer                   NOT NULL,
  CONSTRAINT delivery_attempts_pkey PRIMARY KEY (id),
  CONSTRAINT delivery_attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES deliveries(id) ON DELETE CASCADE,
  CONSTRAINT delivery_attempts_outcome CHECK (outcome = ANY (ARRAY['delivered'::text, 'found'::text, 'gone'::text, 'answered'::text, 'refused'::text, 'unreachable'::text, 'timeout'::text, 'reset'::text, 'unreadable'::text, 'not_understood'::text]))
);
CREATE INDEX delivery_attempts_of_delivery ON delivery_attempts USING btree (delivery_id, id);

CREATE TABLE erasure_requests (
  id                    text                      NOT NULL,
  state                 text                      NOT NULL,
  attention             text,
  regulation            text                      NOT NULL,
  channel               text                      NOT NULL,
  connection            text,
  project_keys          text[],
  reference             text,
  subject_kind          text                      NOT NULL,
  subject_key_version   integer                   NOT NULL,
  subject_ref           bytea                     NOT NULL,
  subject_sealed        bytea,
  note_sealed           bytea,
  submitted_by          text                      NOT NULL,
  received_at           timestamp with time zone  NOT NULL,
  created_at            timestamp with time zone  NOT NULL,
  updated_at            timestamp with time zone  NOT NULL DEFAULT now(),
  completed_at          timestamp with time zone,
  cancel_requested_at   timestamp with time zone,
  event_count           integer                   NOT NULL DEFAULT 0,
  outcome               text,
  held_from             text,
  held_by               text,
  identity_required     boolean                   NOT NULL DEFAULT false,
  identity_verified_at  timestamp with time zone,
  approvals_needed      smallint                  NOT NULL DEFAULT 0,
  cooling_off_ms        bigint                    NOT NULL DEFAULT 0,
  cooling_off_until     timestamp with time zone,
  expected_tasks        integer,
  due_on                date,
  extended_due_on       date,
  clock                 jsonb,
  extended_at           timestamp with time zone,
  type                  text                      NOT NULL DEFAULT 'erasure'::text,
  closed_at             timestamp with time zone,
  subject_destroyed_at  timestamp with time zone,
  CONSTRAINT erasure_requests_pkey PRIMARY KEY (id),
  CONSTRAINT erasure_requests_submitter UNIQUE (id, submitted_by),
  CONSTRAINT erasure_requests_submitted_by_fkey FOREIGN KEY (submitted_by) REFERENCES api_keys(id),
  CONSTRAINT erasure_requests_access_alone CHECK (type <> 'access'::text OR state <> 'erasing'::text AND held_from IS DISTINCT FROM 'erasing'::text AND outcome IS DISTINCT FROM 'erased'::text),
  CONSTRAINT erasure_requests_approvals_needed_check CHECK (approvals_needed >= 0 AND approvals_needed <= 2),
  CONSTRAINT erasure_requests_attention CHECK (attention = ANY (ARRAY['tasks_need_attention'::text, 'unroutable'::text, 'project_unknown'::text, 'no_projects'::text, 'too_many_matches'::text, 'unexpected_matches'::text, 'package_incomplete'::text])),
  CONSTRAINT erasure_requests_channel_check CHECK (channel = ANY (ARRAY['api'::text, 'import'::text, 'webhook'::text, 'replay'::text, 'sentinel'::text])),
  CONSTRAINT erasure_requests_check CHECK ((state <> 'needs_attention'::text OR attention IS NOT NULL) AND (attention IS NULL OR (state = ANY (ARRAY['needs_attention'::text, 'on_hold'::text])))),
  CONSTRAINT erasure_requests_check1 CHECK ((state = 'completed'::text) = (completed_at IS NOT NULL)),
  CONSTRAINT erasure_requests_closed CHECK ((state = ANY (ARRAY['completed'::text, 'refused'::text, 'cancelled'::text])) = (closed_at IS NOT NULL)),
  CONSTRAINT erasure_requests_cooling_off_ms_check CHECK (cooling_off_ms >= 0),
  CONSTRAINT erasure_requests_expected_tasks_check CHECK (expected_tasks >= 0),
  CONSTRAINT erasure_requests_held_by_check CHECK (held_by = ANY (ARRAY['person'::text, 'standing_hold'::text])),
  CONSTRAINT erasure_requests_held_from CHECK ((state = 'on_hold'::text) = (held_from IS NOT NULL) AND (held_from IS NULL) = (held_by IS NULL)),
  CONSTRAINT erasure_requests_outcome CHECK (outcome = ANY (ARRAY['erased'::text, 'nothing_found'::text, 'closed_by_decision'::text, 'access_provided'::text])),
  CONSTRAINT erasure_requests_outcome_when_completed CHECK ((state = 'completed'::text) = (outcome IS NOT NULL)),
  CONSTRAINT erasure_requests_regulation_check CHECK (regulation = ANY (ARRAY['gdpr'::text, 'uk_gdpr'::text, 'ccpa'::text])),
  CONSTRAINT erasure_requests_state CHECK (state = ANY (ARRAY['received'::text, 'awaiting_identity'::text, 'awaiting_approval'::text, 'cooling_off'::text, 'on_hold'::text, 'discovering'::text, 'gathering'::text, 'erasing'::text, 'needs_attention'::text, 'completed'::text, 'refused'::text, 'cancelled'::text])),
  CONSTRAINT erasure_requests_subject_destroyed CHECK ((subject_sealed IS NULL) = (subject_destroyed_at IS NOT NULL) AND (subject_destroyed_at IS NULL OR note_sealed IS NULL AND closed_at IS NOT NULL)),
  CONSTRAINT erasure_requests_subject_kind_check CHECK (subject_kind = ANY (ARRAY['user_id'::text, 'email'::text])),
  CONSTRAINT erasure_requests_subject_ref_check CHECK (octet_length(subject_ref) = 32),
  CONSTRAINT erasure_requests_type CHECK (type = ANY (ARRAY['erasure'::text, 'access'::text, 'access_and_erasure'::text]))
);
CREATE INDEX erasure_requests_by_due ON erasure_requests USING btree ((
CASE
    WHEN extended_at IS NULL THEN due_on
    ELSE extended_due_on
END), id) WHERE state <> ALL (ARRAY['completed'::text, 'refused'::text, 'cancelled'::text]);
CREATE INDEX erasure_requests_by_receipt ON erasure_requests USING btree (received_at, id);
CREATE INDEX erasure_requests_by_reference ON erasure_requests USING btree (reference, id DESC) WHERE reference IS NOT NULL;
CREATE INDEX erasure_requests_by_state ON erasure_requests USING btree (state, id DESC);
CREATE INDEX erasure_requests_by_subject ON erasure_requests USING btree (subject_ref);

CREATE TABLE holds (
  id                     text                      NOT NULL,
  ref                    bytea                     NOT NULL,
  kind                   text                      NOT NULL,
  key_version            integer                   NOT NULL,
  subject_sealed         bytea                     NOT NULL,
  reason_sealed          bytea                     NOT NULL,
  created_by             text                      NOT NULL,
  created_at             timestamp with time zone  NOT NULL,
  released_by            text,
  released_at            timestamp with time zone,
  release_reason_sealed  bytea,
  CONSTRAINT holds_pkey PRIMARY KEY (id),
  CONSTRAINT holds_created_by_fkey FOREIGN KEY (created_by) REFERENCES api_keys(id),
  CONSTRAINT holds_released_by_fkey FOREIGN KEY (released_by) REFERENCES api_keys(id),
  CONSTRAINT holds_check CHECK ((released_at IS NULL) = (released_by IS NULL)),
  CONSTRAINT holds_kind_check CHECK (kind = ANY (ARRAY['user_id'::text, 'email'::text])),
  CONSTRAINT holds_ref_check CHECK (octet_length(ref) = 32)
);
CREATE INDEX holds_standing ON holds USING btree (ref) WHERE released_at IS NULL;

CREATE TABLE idempotency_keys (
  api_key_id   text                      NOT NULL,
  key          text                      NOT NULL,
  fingerprint  bytea                     NOT NULL,
  request_id   text,
  body         text,
  created_at   timestamp with time zone  NOT NULL DEFAULT now(),
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (api_key_id, key),
  CONSTRAINT idempotency_keys_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys(id),
  CONSTRAINT idempotency_keys_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id)
);

CREATE TABLE import_errors (
  import_id  text     NOT NULL,
  line       integer  NOT NULL,
  problems   jsonb    NOT NULL,
  CONSTRAINT import_errors_pkey PRIMARY KEY (import_id, line),
  CONSTRAINT import_errors_import_id_fkey FOREIGN KEY (import_id) REFERENCES imports(id)
);

CREATE TABLE import_rows (
  api_key_id   text                      NOT NULL,
  fingerprint  bytea                     NOT NULL,
  import_id    text                      NOT NULL,
  line         integer                   NOT NULL,
  request_id   text                      NOT NULL,
  taken_at     timestamp with time zone  NOT NULL DEFAULT now(),
  CONSTRAINT import_rows_pkey PRIMARY KEY (api_key_id, fingerprint),
  CONSTRAINT import_rows_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys(id),
  CONSTRAINT import_rows_import_id_fkey FOREIGN KEY (import_id) REFERENCES imports(id),
  CONSTRAINT import_rows_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT import_rows_fingerprint_check CHECK (octet_length(fingerprint) = 32)
);

CREATE TABLE imports (
  id               text                      NOT NULL,
  api_key_id       text                      NOT NULL,
  idempotency_key  text,
  format           text                      NOT NULL,
  state            text                      NOT NULL,
  run              integer                   NOT NULL DEFAULT 1,
  rows             integer                   NOT NULL DEFAULT 0,
  accepted         integer                   NOT NULL DEFAULT 0,
  repeated         integer                   NOT NULL DEFAULT 0,
  rejected         integer                   NOT NULL DEFAULT 0,
  failure          jsonb,
  fingerprint      bytea,
  created_at       timestamp with time zone  NOT NULL DEFAULT now(),
  updated_at       timestamp with time zone  NOT NULL DEFAULT now(),
  CONSTRAINT imports_pkey PRIMARY KEY (id),
  CONSTRAINT imports_api_key_id_idempotency_key_key UNIQUE (api_key_id, idempotency_key),
  CONSTRAINT imports_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES api_keys(id),
  CONSTRAINT imports_check CHECK (rows = (accepted + repeated + rejected)),
  CONSTRAINT imports_check1 CHECK ((state = 'failed'::text) = (failure IS NOT NULL)),
  CONSTRAINT imports_check2 CHECK ((state = 'completed'::text) = (fingerprint IS NOT NULL)),
  CONSTRAINT imports_format CHECK (format = ANY (ARRAY['csv'::text, 'ndjson'::text])),
  CONSTRAINT imports_state CHECK (state = ANY (ARRAY['receiving'::text, 'completed'::text, 'failed'::text, 'interrupted'::text]))
);

CREATE TABLE lethe_migrations (
  version     integer                   NOT NULL,
  name        text                      NOT NULL,
  sha256      text                      NOT NULL,
  applied_at  timestamp with time zone  NOT NULL DEFAULT now(),
  CONSTRAINT lethe_migrations_pkey PRIMARY KEY (version)
);

CREATE TABLE log_keys (
  origin          text                      NOT NULL,
  verifier_key    text                      NOT NULL,
  private_sealed  bytea                     NOT NULL,
  created_at      timestamp with time zone  NOT NULL DEFAULT now(),
  CONSTRAINT log_keys_pkey PRIMARY KEY (origin)
);

CREATE TABLE log_tiles (
  level   smallint  NOT NULL,
  index   bigint    NOT NULL,
  hashes  bytea     NOT NULL,
  CONSTRAINT log_tiles_pkey PRIMARY KEY (level, index),
  CONSTRAINT log_tiles_hashes_check CHECK (octet_length(hashes) >= 32 AND octet_length(hashes) <= 8192 AND (octet_length(hashes) % 32) = 0)
);

CREATE TABLE package_parts (
  request_id  text     NOT NULL,
  task_id     text     NOT NULL,
  file        text     NOT NULL,
  seq         integer  NOT NULL,
  sealed      bytea    NOT NULL,
  CONSTRAINT package_parts_pkey PRIMARY KEY (request_id, task_id, file, seq),
  CONSTRAINT package_parts_request_id_fkey FOREIGN KEY (request_id) REFERENCES access_packages(request_id),
  CONSTRAINT package_parts_task_id_fkey FOREIGN KEY (task_id) REFERENCES package_tasks(task_id),
  CONSTRAINT package_parts_file CHECK (file = ANY (ARRAY['user'::text, 'sessions'::text, 'events'::text, 'gaps'::text])),
  CONSTRAINT package_parts_seq_check CHECK (seq >= 0)
);

CREATE TABLE package_tasks (
  task_id          text                      NOT NULL,
  request_id       text                      NOT NULL,
  progress_sealed  bytea,
  gaps             integer                   NOT NULL DEFAULT 0,
  gathered_at      timestamp with time zone,
  CONSTRAINT package_tasks_pkey PRIMARY KEY (task_id),
  CONSTRAINT package_tasks_request_id_fkey FOREIGN KEY (request_id) REFERENCES access_packages(request_id),
  CONSTRAINT package_tasks_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id)
);
CREATE INDEX package_tasks_by_request ON package_tasks USING btree (request_id);

CREATE UNLOGGED TABLE rate_limits (
  bucket     text                      NOT NULL,
  used       integer                   NOT NULL,
  resets_at  timestamp with time zone  NOT NULL,
  CONSTRAINT rate_limits_pkey PRIMARY KEY (bucket)
);
CREATE INDEX rate_limits_by_end ON rate_limits USING btree (resets_at);

CREATE TABLE replay_keys (
  scope  text                      NOT NULL,
  key    bytea                     NOT NULL,
  until  timestamp with time zone  NOT NULL,
  CONSTRAINT replay_keys_pkey PRIMARY KEY (scope, key),
  CONSTRAINT replay_keys_key_check CHECK (octet_length(key) = 32)
);
CREATE INDEX replay_keys_by_end ON replay_keys USING btree (until);

CREATE TABLE reply_targets (
  name  text  NOT NULL,
  CONSTRAINT reply_targets_pkey PRIMARY KEY (name)
);

CREATE TABLE request_subjects (
  request_id   text     NOT NULL,
  ref          bytea    NOT NULL,
  kind         text     NOT NULL,
  key_version  integer  NOT NULL,
  CONSTRAINT request_subjects_pkey PRIMARY KEY (request_id, ref),
  CONSTRAINT request_subjects_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id),
  CONSTRAINT request_subjects_kind_check CHECK (kind = ANY (ARRAY['user_id'::text, 'email'::text])),
  CONSTRAINT request_subjects_ref_check CHECK (octet_length(ref) = 32)
);
CREATE INDEX request_subjects_by_ref ON request_subjects USING btree (ref);

CREATE TABLE sealed_events (
  first_leaf  bigint   NOT NULL,
  request_id  text,
  first_seq   integer  NOT NULL,
  last_seq    integer  NOT NULL,
  CONSTRAINT sealed_events_pkey PRIMARY KEY (first_leaf),
  CONSTRAINT sealed_events_request_id_first_seq_key UNIQUE NULLS NOT DISTINCT (request_id, first_seq),
  CONSTRAINT sealed_events_check CHECK (last_seq >= first_seq),
  CONSTRAINT sealed_events_first_leaf_check CHECK (first_leaf >= 0)
);
CREATE TRIGGER sealed_events_append_only BEFORE DELETE OR UPDATE ON sealed_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE sealed_events ENABLE ALWAYS TRIGGER sealed_events_append_only;
CREATE TRIGGER sealed_events_no_truncate BEFORE TRUNCATE ON sealed_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE sealed_events ENABLE ALWAYS TRIGGER sealed_events_no_truncate;

CREATE TABLE tasks (
  id                 text                      NOT NULL,
  request_id         text                      NOT NULL,
  connection         text                      NOT NULL,
  project_key        text,
  state              text                      NOT NULL,
  unroutable_reason  text,
  attention          text,
  rounds             jsonb                     NOT NULL DEFAULT '[]'::jsonb,
  verification       jsonb,
  verifying_since    timestamp with time zone,
  created_at         timestamp with time zone  NOT NULL DEFAULT now(),
  updated_at         timestamp with time zone  NOT NULL DEFAULT now(),
  user_sealed        bytea,
  user_ref           bytea,
  live_since         timestamp with time zone,
  CONSTRAINT tasks_pkey PRIMARY KEY (id),
  CONSTRAINT tasks_one_user_in_one_project UNIQUE NULLS NOT DISTINCT (request_id, connection, project_key, user_ref),
  CONSTRAINT tasks_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id),
  CONSTRAINT tasks_attention CHECK (attention = ANY (ARRAY['unroutable'::text, 'residue_sessions'::text, 'residue_user'::text, 'residue_live'::text, 'too_many_rounds'::text, 'jobs_keep_failing'::text, 'jobs_keep_being_cancelled'::text, 'jobs_keep_stalling'::text, 'openreplay_keeps_failing'::text, 'submission_rejected'::text, 'unsendable'::text])),
  CONSTRAINT tasks_check CHECK (project_key IS NOT NULL OR unroutable_reason IS NOT NULL),
  CONSTRAINT tasks_check1 CHECK ((state = ANY (ARRAY['residue'::text, 'failed'::text, 'unroutable'::text])) = (attention IS NOT NULL)),
  CONSTRAINT tasks_state CHECK (state = ANY (ARRAY['pending'::text, 'submitting'::text, 'submitted'::text, 'verifying'::text, 'gathered'::text, 'erased'::text, 'residue'::text, 'failed'::text, 'unroutable'::text, 'cancelled'::text])),
  CONSTRAINT tasks_unroutable_reason CHECK (unroutable_reason = ANY (ARRAY['empty'::text, 'too_long'::text, 'slash'::text, 'control_character'::text, 'dot_segment'::text, 'lone_surrogate'::text])),
  CONSTRAINT tasks_user_ref_check CHECK (octet_length(user_ref) = 32)
);
CREATE INDEX tasks_erased ON tasks USING btree (connection, updated_at DESC) WHERE state = 'erased'::text;

CREATE TABLE tickets (
  source      text                      NOT NULL,
  reference   text                      NOT NULL,
  request_id  text                      NOT NULL,
  created_at  timestamp with time zone  NOT NULL DEFAULT now(),
  marks       jsonb                     NOT NULL,
  last_body   bytea                     NOT NULL,
  changed_at  timestamp with time zone,
  changed     text[]                    NOT NULL DEFAULT '{}'::text[],
  CONSTRAINT tickets_pkey PRIMARY KEY (source, reference),
  CONSTRAINT tickets_request_id_key UNIQUE (request_id),
  CONSTRAINT tickets_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT tickets_last_body_check CHECK (octet_length(last_body) = 32)
);

CREATE TABLE unsealed_events (
  id          bigint                    NOT NULL GENERATED ALWAYS AS IDENTITY,
  request_id  text,
  first_seq   integer                   NOT NULL,
  last_seq    integer                   NOT NULL,
  written_at  timestamp with time zone  NOT NULL DEFAULT now(),
  CONSTRAINT unsealed_events_pkey PRIMARY KEY (id),
  CONSTRAINT unsealed_events_check CHECK (last_seq >= first_seq)
);

CREATE TABLE vault_keys (
  use      text   NOT NULL,
  wrapped  bytea  NOT NULL,
  CONSTRAINT vault_keys_pkey PRIMARY KEY (use),
  CONSTRAINT vault_keys_wrapped_check CHECK (octet_length(wrapped) = 69)
);

CREATE TABLE webhook_counts (
  source   text    NOT NULL,
  day      date    NOT NULL,
  outcome  text    NOT NULL,
  count    bigint  NOT NULL,
  CONSTRAINT webhook_counts_pkey PRIMARY KEY (source, day, outcome),
  CONSTRAINT webhook_counts_count_check CHECK (count > 0),
  CONSTRAINT webhook_counts_outcome CHECK (outcome = ANY (ARRAY['accepted'::text, 'known_ticket'::text, 'not_matching'::text, 'expired'::text]))
);

CREATE TABLE webhook_deliveries (
  id           text                      NOT NULL,
  source       text                      NOT NULL,
  state        text                      NOT NULL DEFAULT 'received'::text,
  received_at  timestamp with time zone  NOT NULL DEFAULT now(),
  judged_at    timestamp with time zone,
  problems     jsonb,
  body_sealed  bytea                     NOT NULL,
  key_wrapped  bytea                     NOT NULL,
  CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id),
  CONSTRAINT webhook_deliveries_check CHECK ((state = 'unmappable'::text) = (problems IS NOT NULL)),
  CONSTRAINT webhook_deliveries_check1 CHECK (problems IS NULL OR judged_at IS NOT NULL),
  CONSTRAINT webhook_deliveries_key_wrapped_check CHECK (octet_length(key_wrapped) = 69),
  CONSTRAINT webhook_deliveries_state CHECK (state = ANY (ARRAY['received'::text, 'unmappable'::text]))
);

CREATE TABLE work (
  id             bigint                    NOT NULL GENERATED ALWAYS AS IDENTITY,
  request_id     text,
  task_id        text,
  connection     text                      NOT NULL,
  project_key    text,
  kind           text                      NOT NULL,
  run_at         timestamp with time zone  NOT NULL,
  reason         text                      NOT NULL,
  attempts       integer                   NOT NULL DEFAULT 0,
  lease          uuid,
  held           boolean                   NOT NULL DEFAULT false,
  failing_since  timestamp with time zone,
  delivery_id    text,
  CONSTRAINT work_pkey PRIMARY KEY (id),
  CONSTRAINT work_delivery_id_key UNIQUE (delivery_id),
  CONSTRAINT work_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES webhook_deliveries(id),
  CONSTRAINT work_request_id_fkey FOREIGN KEY (request_id) REFERENCES erasure_requests(id),
  CONSTRAINT work_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id),
  CONSTRAINT work_check CHECK (lease IS NOT NULL OR NOT held),
  CONSTRAINT work_concerns_one CHECK (num_nonnulls(request_id, delivery_id) = 1),
  CONSTRAINT work_judges_deliveries CHECK ((kind = 'judge'::text) = (delivery_id IS NOT NULL)),
  CONSTRAINT work_kind CHECK (kind = ANY (ARRAY['discover'::text, 'gather'::text, 'package'::text, 'submit'::text, 'poll'::text, 'verify'::text, 'cancel'::text, 'expire_package'::text, 'sentinel'::text, 'destroy'::text, 'judge'::text])),
  CONSTRAINT work_reason CHECK (reason = ANY (ARRAY['queued'::text, 'cooling_off'::text, 'package_kept'::text, 'subject_live'::text, 'job_scheduled'::text, 'job_running'::text, 'job_unknown'::text, 'job_cancelled_by_somebody'::text, 'job_stalled'::text, 'settling'::text, 'sentinel'::text, 'retention'::text, 'conflict_without_job'::text, 'connection_paused'::text, 'key_refused'::text, 'rate_limited'::text, 'rejected'::text, 'redirected'::text, 'server_error'::text, 'unreadable'::text, 'unreachable'::text, 'no_answer'::text, 'internal_error'::text]))
);
CREATE INDEX work_destructions ON work USING btree (run_at) WHERE kind = 'destroy'::text;
CREATE INDEX work_due_by_connection ON work USING btree (connection, run_at) WHERE kind <> ALL (ARRAY['sentinel'::text, 'destroy'::text, 'judge'::text]);
CREATE INDEX work_due_without_calls ON work USING btree (connection, run_at) WHERE kind = ANY (ARRAY['package'::text, 'expire_package'::text]);
CREATE INDEX work_judgements ON work USING btree (run_at) WHERE kind = 'judge'::text;
CREATE INDEX work_leased ON work USING btree (connection) WHERE lease IS NOT NULL;
CREATE INDEX work_looks_by_connection ON work USING btree (connection, run_at) WHERE kind = 'sentinel'::text;
CREATE UNIQUE INDEX work_one_of_each ON work USING btree (request_id, task_id, (kind = 'destroy'::text)) NULLS NOT DISTINCT WHERE request_id IS NOT NULL;

CREATE OR REPLACE FUNCTION public.note_deliveries()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO deliveries (id, callback_id, request_id, event_seq, type, run_at)
  SELECT 'dl_' || replace(gen_random_uuid()::text, '-', ''), callbacks.id, added.request_id, added.seq, added.type, now()
  FROM added JOIN callbacks ON callbacks.state = 'active' AND added.type = ANY (callbacks.events)
  ORDER BY added.request_id, added.seq;
  INSERT INTO deliveries (id, request_id, event_seq, type, run_at)
  SELECT 'dl_' || replace(gen_random_uuid()::text, '-', ''), added.request_id, added.seq, added.type, now()
  FROM added JOIN erasure_requests ON erasure_requests.id = added.request_id
  WHERE added.type IN ('request.received', 'request.needs_attention', 'request.completed', 'request.refused')
    AND reference IS NOT NULL AND EXISTS (SELECT FROM reply_targets)
  ORDER BY added.request_id, added.seq;
  RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.note_unsealed_admin_events()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO unsealed_events (first_seq, last_seq) SELECT min(seq), max(seq) FROM added HAVING count(*) > 0;
  RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.note_unsealed_events()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO unsealed_events (request_id, first_seq, last_seq)
  SELECT request_id, min(seq), max(seq) FROM added GROUP BY request_id;
  RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$function$;
