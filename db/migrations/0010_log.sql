-- The log: one Merkle tree over all events, in the order in which they are sealed.

-- Events that are not sealed yet: one row for those that a statement wrote for one request. The sealer deletes them.
CREATE TABLE unsealed_events (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Null for the trail that concerns no request (admin_events).
  request_id  text,
  first_seq   integer NOT NULL,
  last_seq    integer NOT NULL,
  written_at  timestamptz NOT NULL DEFAULT now(),
  CHECK (last_seq >= first_seq)
);

-- Which events became which leaves: those of a row stand one after another.
CREATE TABLE sealed_events (
  first_leaf  bigint PRIMARY KEY CHECK (first_leaf >= 0),
  request_id  text,
  first_seq   integer NOT NULL,
  last_seq    integer NOT NULL,
  CHECK (last_seq >= first_seq),
  UNIQUE NULLS NOT DISTINCT (request_id, first_seq)
);

-- What was signed of the tree: the last one covers everything before it.
CREATE TABLE checkpoints (
  size       bigint PRIMARY KEY CHECK (size > 0),
  root       bytea NOT NULL CHECK (octet_length(root) = 32),
  note       text NOT NULL,
  signed_at  timestamptz NOT NULL DEFAULT now()
);

-- Hashes of every eighth level of the tree, by 256. They follow from the events, so that they are no evidence: proofs are
-- made from them, and the last ones of each level grow.
CREATE TABLE log_tiles (
  level   smallint NOT NULL,
  index   bigint NOT NULL,
  hashes  bytea NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0),
  PRIMARY KEY (level, index)
);
-- Hashes do not get smaller; it would only be tried.
ALTER TABLE log_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- The keys that checkpoints are signed with, one for each name of the log; the private one is sealed.
CREATE TABLE log_keys (
  origin         text PRIMARY KEY,
  verifier_key   text NOT NULL,
  private_sealed bytea NOT NULL,
  created_at     timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION note_unsealed_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO unsealed_events (request_id, first_seq, last_seq)
  SELECT request_id, min(seq), max(seq) FROM added GROUP BY request_id;
  RETURN NULL;
END
$$;
CREATE FUNCTION note_unsealed_admin_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO unsealed_events (first_seq, last_seq) SELECT min(seq), max(seq) FROM added HAVING count(*) > 0;
  RETURN NULL;
END
$$;
CREATE TRIGGER audit_events_unsealed AFTER INSERT ON audit_events REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed_events();
CREATE TRIGGER admin_events_unsealed AFTER INSERT ON admin_events REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed_admin_events();
ALTER TABLE audit_events ENABLE ALWAYS TRIGGER audit_events_unsealed;
ALTER TABLE admin_events ENABLE ALWAYS TRIGGER admin_events_unsealed;

-- What was written before there was a log is sealed first.
INSERT INTO unsealed_events (request_id, first_seq, last_seq, written_at)
SELECT request_id, min(seq), max(seq), min(created_at) FROM (
  SELECT request_id, seq, created_at FROM audit_events UNION ALL SELECT NULL, seq, created_at FROM admin_events
) AS events GROUP BY request_id ORDER BY min(created_at), request_id;

CREATE TRIGGER sealed_events_append_only BEFORE UPDATE OR DELETE ON sealed_events
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sealed_events_no_truncate BEFORE TRUNCATE ON sealed_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE ON checkpoints
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER checkpoints_no_truncate BEFORE TRUNCATE ON checkpoints
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE sealed_events ENABLE ALWAYS TRIGGER sealed_events_append_only;
ALTER TABLE sealed_events ENABLE ALWAYS TRIGGER sealed_events_no_truncate;
ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_append_only;
ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_no_truncate;
