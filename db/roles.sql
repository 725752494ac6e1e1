-- The roles of Lethe's database, so that the service can add to the audit trail and change nothing of it:
--
--   lethe_owner     owns tables and functions; nobody can log in as it
--   lethe_migrator  logs in, and may only become lethe_owner: what `npm run migrate` connects as
--   lethe_service   logs in, owns nothing of ours: what the API and the workers connect as
--
-- Run by an administrator (a superuser, or who may create roles and owns the database), in the database of Lethe, before
-- `npm run migrate`: psql -d lethe -f db/roles.sql. Again, it changes nothing; on a database that ran under one login
-- before, it moves what that login owns. Plain SQL, so any client will do. Other names, and passwords where this file is
-- to set them, are settings:
--
--   PGOPTIONS='-c lethe.service_role=acme -c lethe.service_password=...' psql -d lethe -f db/roles.sql
--
-- lethe.owner_role, lethe.migrator_role, lethe.service_role, lethe.migrator_password, lethe.service_password
--
-- Which role is which is not written down elsewhere: the owner is the owner of the schema, and the service is who has
-- default privileges on the tables that the owner makes. `npm run migrate` reads that and brings the rights on each
-- table up to date.
DO $roles$
DECLARE
  owner_role text := coalesce(nullif(current_setting('lethe.owner_role', true), ''), 'lethe_owner');
  migrator text := coalesce(nullif(current_setting('lethe.migrator_role', true), ''), 'lethe_migrator');
  service text := coalesce(nullif(current_setting('lethe.service_role', true), ''), 'lethe_service');
  ours text := current_schema();
  -- Where BullMQ keeps the queue, when there is no Redis.
  queue CONSTANT text := 'bullmq';
  superuser boolean := (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
  login record;
  thing record;
BEGIN
  -- Several processes of the embedded default start at once.
  PERFORM pg_advisory_xact_lock(x'4c657468'::int, 1);
  IF owner_role IN (migrator, service) OR migrator = service THEN
    RAISE EXCEPTION 'owner, migrator and service must be three roles';
  END IF;

  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = owner_role) THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', owner_role);
  ELSIF (SELECT rolcanlogin FROM pg_roles WHERE rolname = owner_role) THEN
    RAISE EXCEPTION 'the role % can log in, so it must not be the owner', owner_role;
  END IF;
  FOR login IN SELECT * FROM (VALUES
    (migrator, 'NOINHERIT', current_setting('lethe.migrator_password', true)),
    (service, 'INHERIT', current_setting('lethe.service_password', true))) AS l (name, inherits, password)
  LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login.name) THEN
      EXECUTE format('CREATE ROLE %I LOGIN %s', login.name, login.inherits);
    END IF;
    IF login.password <> '' THEN
      EXECUTE format('ALTER ROLE %I PASSWORD %L', login.name, login.password);
    END IF;
  END LOOP;

  -- The migrator inherits nothing: without SET ROLE it can do as little as anybody. The owner may do what the service may,
  -- since the service makes sequences of the queue that a migration of the queue may change.
  IF pg_has_role(service, owner_role, 'MEMBER') AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = service) THEN
    EXECUTE format('REVOKE %I FROM %I', owner_role, service);
  END IF;
  EXECUTE format('GRANT %I TO %I', owner_role, migrator);
  EXECUTE format('GRANT %I TO %I', service, owner_role);
  IF NOT superuser THEN
    -- Who gives something to a role has to be able to become it.
    EXECUTE format('GRANT %I TO CURRENT_USER', owner_role);
  END IF;

  EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I', current_database(), owner_role);
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), migrator);
  EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), service);
  -- Who owns the database owns schemas in it, too, in a way.
  IF EXISTS (SELECT FROM pg_database d JOIN pg_roles r ON r.oid = datdba
             WHERE datname = current_database() AND rolname = service AND NOT rolsuper) THEN
    EXECUTE format('ALTER DATABASE %I OWNER TO %I', current_database(), owner_role);
  END IF;

  -- Before the tables: who gets a table must be allowed to have one there.
  EXECUTE format('ALTER SCHEMA %I OWNER TO %I', ours, owner_role);
  EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, %I', ours, service);

  -- What the login owns that has migrated so far: it owns the ledger. What came with an extension is left alone; sequences
  -- of columns, indexes and row types go with their table.
  FOR thing IN
    WITH ledger AS (
      SELECT relnamespace AS space, relowner AS old FROM pg_class
      WHERE relnamespace = to_regnamespace(quote_ident(ours)) AND relname = 'lethe_migrations' AND relkind = 'r'
        AND relowner <> to_regrole(quote_ident(owner_role)))
    SELECT 'TABLE' AS kind, c.oid::regclass::text AS name
    FROM ledger JOIN pg_class c ON relnamespace = space AND relowner = old
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
        AND (deptype = 'e' OR relkind = 'S' AND deptype IN ('a', 'i')))
    UNION ALL
    SELECT 'ROUTINE', p.oid::regprocedure::text
    FROM ledger JOIN pg_proc p ON pronamespace = space AND proowner = old
    WHERE NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
    UNION ALL
    SELECT 'TYPE', t.oid::regtype::text
    FROM ledger JOIN pg_type t ON typnamespace = space AND typowner = old
    WHERE typtype IN ('e', 'd', 'r')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid = t.oid AND deptype = 'e')
  LOOP
    EXECUTE format('ALTER %s %s OWNER TO %I', thing.kind, thing.name, owner_role);
  END LOOP;

  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', ours, service);
  -- The least that a table can need. Append-only tables need no more; to the others a migration adds.
  EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, INSERT ON TABLES TO %I',
    owner_role, ours, service);
  EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT USAGE ON SEQUENCES TO %I',
    owner_role, ours, service);
  EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I', ours, service);

  -- The queue: the owner makes its tables, the service uses them, and makes and drops a sequence for each queue.
  IF to_regnamespace(queue) IS NULL THEN
    EXECUTE format('CREATE SCHEMA %I', queue);
  END IF;
  EXECUTE format('ALTER SCHEMA %I OWNER TO %I', queue, owner_role);
  EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', queue, service);
  FOR thing IN
    SELECT 'TABLE' AS kind, c.oid::regclass::text AS name, CASE relkind WHEN 'S' THEN service ELSE owner_role END AS heir
    FROM pg_class c
    WHERE relnamespace = to_regnamespace(queue) AND relkind IN ('r', 'p', 'v', 'm', 'S')
      AND relowner NOT IN (to_regrole(quote_ident(owner_role)), to_regrole(quote_ident(service)))
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
        AND relkind = 'S' AND deptype IN ('a', 'i'))
    UNION ALL
    SELECT 'TABLE', oid::regclass::text, owner_role FROM pg_class
    WHERE relnamespace = to_regnamespace(queue) AND relkind IN ('r', 'p', 'v', 'm')
      AND relowner = to_regrole(quote_ident(service))
    UNION ALL
    SELECT 'ROUTINE', oid::regprocedure::text, owner_role FROM pg_proc
    WHERE pronamespace = to_regnamespace(queue) AND proowner <> to_regrole(quote_ident(owner_role))
    UNION ALL
    SELECT 'TYPE', oid::regtype::text, owner_role FROM pg_type
    WHERE typnamespace = to_regnamespace(queue) AND typtype IN ('e', 'd', 'r')
      AND typowner <> to_regrole(quote_ident(owner_role))
  LOOP
    EXECUTE format('ALTER %s %s OWNER TO %I', thing.kind, thing.name, thing.heir);
  END LOOP;
  EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
    owner_role, queue, service);
  EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO %I',
    owner_role, queue, service);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', queue, service);
  EXECUTE format('GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA %I TO %I', queue, service);
END
$roles$;
