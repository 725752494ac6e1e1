-- Access to the API: more scopes, keys that end and rotate, their limits, and the trail of what is done to keys.

ALTER TABLE api_keys
  DROP CONSTRAINT api_keys_scopes_check,
  ADD CONSTRAINT api_keys_scopes_check CHECK (scopes <@ ARRAY[
    'requests:write', 'requests:read', 'requests:approve', 'holds:write', 'audit:read', 'reports:read', 'access:read',
    'admin'] AND cardinality(scopes) > 0),
  -- Null: made on the machine itself, by the command or by the embedded default.
  ADD COLUMN created_by           text REFERENCES api_keys (id),
  ADD COLUMN expires_at           timestamptz,
  ADD COLUMN rotated_at           timestamptz,
  -- In place of the configured limit.
  ADD COLUMN rate_limit_requests  integer CHECK (rate_limit_requests > 0),
  ADD COLUMN rate_limit_seconds   integer CHECK (rate_limit_seconds > 0),
  ADD CONSTRAINT api_keys_rate_limit CHECK ((rate_limit_requests IS NULL) = (rate_limit_seconds IS NULL));

-- Tokens that a rotation replaced. They are kept after they have ended, so that none can ever be brought back.
CREATE TABLE api_key_old_tokens (
  token_hash   bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
  api_key_id   text NOT NULL REFERENCES api_keys (id),
  valid_until  timestamptz NOT NULL
);
CREATE INDEX api_key_old_tokens_by_key ON api_key_old_tokens (api_key_id);

-- Calls counted for each key, and wrong keys for each address (only its HMAC stands here). Every call of the API writes
-- here, so the table is not logged: a crash of the database empties it, and counting begins anew.
CREATE UNLOGGED TABLE rate_limits (
  bucket     text PRIMARY KEY,
  used       integer NOT NULL,
  resets_at  timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX rate_limits_by_end ON rate_limits (resets_at);

-- What was done to keys; stored and shown as audit events are.
CREATE TABLE admin_events (
  seq         integer PRIMARY KEY CHECK (seq >= 0),
  type        text NOT NULL,
  bytes       bytea NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER admin_events_append_only BEFORE UPDATE OR DELETE ON admin_events
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER admin_events_no_truncate BEFORE TRUNCATE ON admin_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE admin_events ENABLE ALWAYS TRIGGER admin_events_append_only;
ALTER TABLE admin_events ENABLE ALWAYS TRIGGER admin_events_no_truncate;
