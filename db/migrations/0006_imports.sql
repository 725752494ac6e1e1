-- Bulk: files of requests. Of a row that was refused nothing is kept but its line and what was expected.

CREATE TABLE imports (
  id               text PRIMARY KEY,
  api_key_id       text NOT NULL REFERENCES api_keys (id),
  idempotency_key  text,
  format           text NOT NULL CONSTRAINT imports_format CHECK (format IN ('csv', 'ndjson')),
  state            text NOT NULL CONSTRAINT imports_state CHECK (state IN (
                     'receiving', 'completed', 'failed', 'interrupted')),
  -- The upload that may write: a later one under the same idempotency key takes over.
  run              integer NOT NULL DEFAULT 1,
  rows             integer NOT NULL DEFAULT 0,
  accepted         integer NOT NULL DEFAULT 0,
  repeated         integer NOT NULL DEFAULT 0,
  rejected         integer NOT NULL DEFAULT 0,
  -- Why it failed; its shape is checked wherever it is read.
  failure          jsonb,
  -- HMAC of the whole file, once it was read to its end.
  fingerprint      bytea,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now(),
  UNIQUE (api_key_id, idempotency_key),
  CHECK (rows = accepted + repeated + rejected),
  CHECK ((state = 'failed') = (failure IS NOT NULL)),
  CHECK ((state = 'completed') = (fingerprint IS NOT NULL))
);

-- Which request was made of which row, so that the same row sent again makes nothing twice.
CREATE TABLE import_rows (
  api_key_id   text NOT NULL REFERENCES api_keys (id),
  -- HMAC of what the row says.
  fingerprint  bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
  import_id    text NOT NULL REFERENCES imports (id),
  line         integer NOT NULL,
  -- Deferred: the row is claimed before its request is planned, in the same transaction.
  request_id   text NOT NULL REFERENCES erasure_requests (id) DEFERRABLE INITIALLY DEFERRED,
  taken_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (api_key_id, fingerprint)
);

CREATE TABLE import_errors (
  import_id  text NOT NULL REFERENCES imports (id),
  line       integer NOT NULL,
  problems   jsonb NOT NULL,
  PRIMARY KEY (import_id, line)
);
