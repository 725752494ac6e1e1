-- Ways in for tickets: what ticketing systems deliver, sealed until a worker has judged it, and the requests made of it.

ALTER TABLE erasure_requests
  DROP CONSTRAINT erasure_requests_channel_check,
  ADD CONSTRAINT erasure_requests_channel_check CHECK (channel IN ('api', 'import', 'webhook', 'replay', 'sentinel'));

-- Keys that nobody has a token of: in their name a way in submits. One that was revoked is replaced at its next use.
ALTER TABLE api_keys ADD COLUMN made_for text;
CREATE UNIQUE INDEX api_keys_made_for ON api_keys (made_for) WHERE revoked_at IS NULL;

-- What was taken in once, as SHA-256, so that it is nothing new when it comes again, whichever process it comes to.
CREATE TABLE replay_keys (
  -- The way in, such as webhook:support.
  scope  text NOT NULL,
  key    bytea NOT NULL CHECK (octet_length(key) = 32),
  until  timestamptz NOT NULL,
  PRIMARY KEY (scope, key)
);
CREATE INDEX replay_keys_by_end ON replay_keys (until);

-- Deliveries that are to be judged, or cannot be judged until their source's mapping is mended. A row goes, and with it the
-- body and its key, as soon as nothing more is to be read of it.
CREATE TABLE webhook_deliveries (
  id           text PRIMARY KEY,
  source       text NOT NULL,
  state        text NOT NULL DEFAULT 'received' CONSTRAINT webhook_deliveries_state CHECK (state IN (
                 'received', 'unmappable')),
  received_at  timestamptz NOT NULL DEFAULT now(),
  judged_at    timestamptz,
  -- Where something else was expected, by JSON Pointers of the configuration; nothing of what came.
  problems     jsonb,
  body_sealed  bytea NOT NULL,
  key_wrapped  bytea NOT NULL CHECK (octet_length(key_wrapped) = 69),
  CHECK ((state = 'unmappable') = (problems IS NOT NULL)),
  CHECK (problems IS NULL OR judged_at IS NOT NULL)
);

-- What became of deliveries of which nothing is kept.
CREATE TABLE webhook_counts (
  source   text NOT NULL,
  day      date NOT NULL,
  outcome  text NOT NULL CONSTRAINT webhook_counts_outcome CHECK (outcome IN (
             'accepted', 'known_ticket', 'not_matching', 'expired')),
  count    bigint NOT NULL CHECK (count > 0),
  PRIMARY KEY (source, day, outcome)
);

-- The ticket of a request. Whatever is told of a ticket, there is one request for it.
CREATE TABLE tickets (
  source      text NOT NULL,
  reference   text NOT NULL,
  -- Deferred: the ticket is claimed before its request is planned, in the same transaction.
  request_id  text NOT NULL UNIQUE REFERENCES erasure_requests (id) DEFERRABLE INITIALLY DEFERRED,
  created_at  timestamptz NOT NULL DEFAULT now(),
  -- HMAC of each thing that the request was made of, by its name.
  marks       jsonb NOT NULL,
  -- HMAC of the body that came last.
  last_body   bytea NOT NULL CHECK (octet_length(last_body) = 32),
  changed_at  timestamptz,
  -- Names of what says something else now than when the request was made.
  changed     text[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (source, reference)
);

ALTER TABLE work
  ALTER COLUMN request_id DROP NOT NULL,
  ADD COLUMN delivery_id text UNIQUE REFERENCES webhook_deliveries (id),
  ADD CONSTRAINT work_concerns_one CHECK (num_nonnulls(request_id, delivery_id) = 1),
  DROP CONSTRAINT work_kind,
  ADD CONSTRAINT work_kind CHECK (kind IN (
    'discover', 'gather', 'package', 'submit', 'poll', 'verify', 'cancel', 'expire_package', 'sentinel', 'destroy',
    'judge')),
  ADD CONSTRAINT work_judges_deliveries CHECK ((kind = 'judge') = (delivery_id IS NOT NULL));
DROP INDEX work_one_of_each;
CREATE UNIQUE INDEX work_one_of_each ON work (request_id, task_id, (kind = 'destroy')) NULLS NOT DISTINCT
  WHERE request_id IS NOT NULL;

-- Judging needs no server, and what cannot be judged waits for days: as destructions, it concerns no connection.
DROP INDEX work_due_by_connection;
CREATE INDEX work_due_by_connection ON work (connection, run_at) WHERE kind NOT IN ('sentinel', 'destroy', 'judge');
CREATE INDEX work_judgements ON work (run_at) WHERE kind = 'judge';
