-- Answers back: callbacks of API clients, and answers to tickets. A delivery is a message to one receiver; its row is outbox,
-- schedule and lease at once, as a row of work is (docs/decisions/0023).

CREATE TABLE callbacks (
  id                 text PRIMARY KEY,
  name               text NOT NULL,
  -- It may hold a secret.
  url_sealed         bytea NOT NULL,
  secret_sealed      bytea NOT NULL,
  -- The secret before the last rotation, with which is signed too for a while.
  old_secret_sealed  bytea,
  old_secret_until   timestamptz,
  events             text[] NOT NULL,
  state              text NOT NULL DEFAULT 'active',
  created_by         text NOT NULL REFERENCES api_keys (id),
  created_at         timestamptz NOT NULL,
  -- When it was disabled, or answered 410.
  ended_at           timestamptz,
  last_success_at    timestamptz,
  -- The first failure since the last success.
  failing_since      timestamptz,
  CONSTRAINT callbacks_events CHECK (cardinality(events) > 0 AND events <@ ARRAY[
    'request.received', 'request.awaiting_identity', 'request.awaiting_approval', 'request.on_hold', 'request.erasing',
    'request.needs_attention', 'request.extended', 'request.completed', 'request.refused', 'request.cancelled',
    'deadline.at_risk']),
  CONSTRAINT callbacks_state CHECK (state IN ('active', 'disabled', 'gone')),
  CONSTRAINT callbacks_when_ended CHECK ((state = 'active') = (ended_at IS NULL)),
  CONSTRAINT callbacks_old_secret CHECK ((old_secret_sealed IS NULL) = (old_secret_until IS NULL))
);

-- The targets of answers to tickets that the workers' configuration has; without one, nothing is written for tickets.
CREATE TABLE reply_targets (
  name  text PRIMARY KEY
);

CREATE TABLE deliveries (
  -- For callbacks the `webhook-id`, the same for each attempt.
  id           text PRIMARY KEY,
  place        bigint GENERATED ALWAYS AS IDENTITY,
  -- Null of an answer to a ticket.
  callback_id  text REFERENCES callbacks (id) ON DELETE CASCADE,
  -- Null of a test of a callback.
  request_id   text REFERENCES erasure_requests (id),
  event_seq    int,
  type         text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  state        text NOT NULL DEFAULT 'waiting',
  -- When it is due; while a worker has it, the end of its lease.
  run_at       timestamptz,
  lease        uuid,
  -- Failed attempts of the schedule under way.
  attempts     int NOT NULL DEFAULT 0,
  -- Answers to tickets: a call that changes the ticket was about to be made, and its answer is not known.
  intended_at  timestamptz,
  settled_at   timestamptz,
  CONSTRAINT deliveries_state CHECK (state IN ('waiting', 'delivered', 'failed')),
  CONSTRAINT deliveries_when_due CHECK ((state = 'waiting') = (run_at IS NOT NULL) AND (run_at IS NULL) = (settled_at IS NOT NULL)
    AND (lease IS NULL OR run_at IS NOT NULL)),
  CONSTRAINT deliveries_event CHECK ((request_id IS NULL) = (event_seq IS NULL) AND (callback_id IS NOT NULL OR request_id IS NOT NULL))
);
CREATE INDEX deliveries_due_of_callback ON deliveries (callback_id, run_at) WHERE state = 'waiting';
CREATE INDEX deliveries_of_callback ON deliveries (callback_id, place);
CREATE INDEX deliveries_of_request ON deliveries (request_id, place) WHERE callback_id IS NULL;
CREATE INDEX deliveries_due_answers ON deliveries (run_at) WHERE state = 'waiting' AND callback_id IS NULL;
CREATE INDEX deliveries_settled ON deliveries (settled_at) WHERE settled_at IS NOT NULL;

CREATE TABLE delivery_attempts (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  delivery_id  text NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  at           timestamptz NOT NULL DEFAULT now(),
  outcome      text NOT NULL,
  -- Of the answer, where one came.
  status       int,
  duration_ms  int NOT NULL,
  CONSTRAINT delivery_attempts_outcome CHECK (outcome IN (
    'delivered', 'found', 'gone', 'answered', 'refused', 'unreachable', 'timeout', 'reset', 'unreadable', 'not_understood'))
);
CREATE INDEX delivery_attempts_of_delivery ON delivery_attempts (delivery_id, id);

-- The one place where deliveries begin: whatever writes an event leaves, in the same transaction, a delivery for each who
-- wants to know of it.
CREATE FUNCTION note_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
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
$$;
CREATE TRIGGER audit_events_deliveries AFTER INSERT ON audit_events REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION note_deliveries();

ALTER TABLE api_keys
  DROP CONSTRAINT api_keys_scopes_check,
  ADD CONSTRAINT api_keys_scopes_check CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY[
    'requests:write', 'requests:read', 'requests:approve', 'holds:write', 'audit:read', 'reports:read', 'access:read',
    'callbacks:write', 'admin']);
