import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { migrate } from '../../db/migrate.ts';
import { setUpRoles, type RoleNames } from '../../db/set-up-roles.ts';
import { prepareQueue } from '../../src/prepare-queue.ts';
import type { Payload } from '../../src/queue/payload.ts';
import { openPublisher, wipeQueue } from '../../src/queue/queue-backend.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { namesIn, neededRights, rightsOf, saidTo } from '../support/rights.ts';

/** One that is set up, and stays: roles are dropped from there. */
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const toDrop: TestDatabase[] = [];
const roles: string[] = [];
afterEach(async () => {
  for (const one of toDrop.splice(0)) await one.drop();
  // Whoever made roles comes first here, and cannot go before they have.
  for (const role of roles.splice(0).toReversed()) await database.pool.query(`DROP ROLE IF EXISTS ${role}`);
});

const empty = async (): Promise<TestDatabase> => {
  const made = await createEmptyDatabase();
  toDrop.push(made);
  return made;
};
const nameOf = (what: string): string => {
  const name = `lethe_${what}_${randomBytes(6).toString('hex')}`;
  roles.push(name);
  return name;
};
const rolesOfTest = (): RoleNames => {
  const [serviceName, migratorName, ownerName] = [nameOf('service'), nameOf('migrator'), nameOf('owner')];
  return { service: serviceName, migrator: migratorName, owner: ownerName };
};

/** A login of its own that owns the database, as an operator makes one. */
async function ownerOf(own: TestDatabase, attributes = ''): Promise<string> {
  const login = nameOf('old');
  const url = new URL(own.connectionString);
  await own.pool.query(`CREATE ROLE ${login} LOGIN ${attributes} PASSWORD 'old';
    ALTER DATABASE ${url.pathname.slice(1)} OWNER TO ${login}`);
  [url.username, url.password] = [login, 'old'];
  return url.href;
}

const QUEUE = 'migrating';
const JOB: Payload = { kind: 'poll', work: [{ id: '1', lease: '1' }] };
/** BullMQ makes a sequence for the queue. */
async function publish(connectionString: string): Promise<void> {
  const publisher = await openPublisher({ kind: 'postgres', connectionString }, QUEUE, {
    onError: () => undefined,
  });
  await publisher.publish([JOB]);
  await publisher.close();
}
/** BullMQ drops the sequence. */
const wipe = (connectionString: string) => wipeQueue({ kind: 'postgres', connectionString }, QUEUE);

const NOTHING = { applied: [] };
const refusal = (what: string) => ({
  code: 'MIGRATION_NOT_PERMITTED',
  message: expect.stringMatching(new RegExp(`^lethe_\\w+ may not migrate .*${what}.*npm run migrate`)),
});

it('makes everything as the owner, an administrator too; the service says what to run until it can work with it', async () => {
  const own = await empty();
  const set = rolesOfTest();
  const { serviceUrl, migrationUrl } = await setUpRoles(own.connectionString, set);
  await expect(migrate(serviceUrl)).rejects.toMatchObject(refusal('from 0001_erasure on'));
  await migrate(own.connectionString);
  await expect(migrate(migrationUrl)).resolves.toEqual(NOTHING);
  await expect(migrate(serviceUrl)).resolves.toEqual(NOTHING);
  await expect(prepareQueue(serviceUrl)).rejects.toMatchObject(refusal("the queue's tables"));
  await prepareQueue(migrationUrl);
  await prepareQueue(serviceUrl);
  await publish(serviceUrl);
  expect(await wipe(serviceUrl)).toBe(1);
  const owners = `SELECT DISTINCT relowner::regrole::text AS name FROM pg_class
    WHERE relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace)`;
  expect(await namesIn(own.pool, owners)).toEqual([set.owner]);
  await own.pool.query('DELETE FROM bullmq.migration WHERE version > 1');
  await expect(prepareQueue(serviceUrl)).rejects.toMatchObject(refusal("the queue's tables"));
  await own.pool.query('DELETE FROM lethe_migrations WHERE version > 9');
  await expect(migrate(serviceUrl)).rejects.toMatchObject(refusal('migrations are still to be applied'));
});

it.each([
  ['a superuser', ''],
  ['that login, which may create roles', 'CREATEROLE'],
])('may be the one login that owns all, until %s sets up the roles', async (_who, attributes) => {
  const own = await empty();
  const url = await ownerOf(own, attributes);
  await migrate(url);
  await prepareQueue(url);
  await expect(migrate(url)).resolves.toEqual(NOTHING);
  await publish(url);
  await own.pool.query('CREATE TABLE of_somebody_else ()');
  const admin = attributes === '' ? own.connectionString : url;

  const set = rolesOfTest();
  await setUpRoles(admin, set);
  const { serviceUrl, migrationUrl } = await setUpRoles(admin, set);
  await expect(migrate(serviceUrl)).rejects.toMatchObject(refusal('the rights of the roles'));
  await expect(migrate(migrationUrl)).resolves.toEqual(NOTHING);
  await expect(migrate(serviceUrl)).resolves.toEqual(NOTHING);

  const login = new URL(url).username;
  const left = `SELECT relname AS name FROM pg_class
    WHERE relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace) AND relowner = to_regrole($1)
    UNION ALL SELECT proname FROM pg_proc WHERE proowner = to_regrole($1)
    UNION ALL SELECT typname FROM pg_type WHERE typowner = to_regrole($1)
    UNION ALL SELECT nspname FROM pg_namespace WHERE nspowner = to_regrole($1)`;
  expect(await namesIn(own.pool, left, [login])).toEqual([]);
  const others = "SELECT tableowner AS name FROM pg_tables WHERE tablename = 'of_somebody_else'";
  expect(await namesIn(own.pool, others)).toEqual([new URL(own.connectionString).username]);
  expect(await rightsOf(own.pool, set.service)).toEqual(
    (await neededRights(own.pool)).set('of_somebody_else', []),
  );
  // The job and the sequence are those of before.
  expect(await wipe(serviceUrl)).toBe(1);
  await publish(serviceUrl);
  expect(await wipe(serviceUrl)).toBe(1);
  if (attributes === '')
    expect(await saidTo(url, ['SELECT 1 FROM audit_events'])).toEqual([
      ['SELECT 1 FROM audit_events', '42501 permission denied for table audit_events'],
    ]);
});

it('may become the service, without what it owned', async () => {
  const own = await empty();
  const url = await ownerOf(own);
  await migrate(url);
  await prepareQueue(url);
  await publish(url);
  const set = { ...rolesOfTest(), service: new URL(url).username };
  const { serviceUrl, migrationUrl } = await setUpRoles(own.connectionString, set);
  await migrate(migrationUrl);
  await expect(migrate(serviceUrl)).resolves.toEqual(NOTHING);
  expect(await rightsOf(own.pool, set.service)).toEqual(await neededRights(own.pool));
  const beyond = ['DROP SCHEMA public CASCADE', 'CREATE SCHEMA forged', 'CREATE TABLE public.forged ()'];
  const refused = expect.stringMatching(/^42501/);
  expect(await saidTo(serviceUrl, beyond)).toEqual(beyond.map((sql) => [sql, refused]));
  expect(await wipe(serviceUrl)).toBe(1);
});

it('is neither the owner of another database nor an administrator who may make no roles', async () => {
  const own = await empty();
  const url = await ownerOf(own);
  const elsewhere = new URL(url);
  elsewhere.pathname = new URL(database.connectionString).pathname;
  await expect(migrate(elsewhere.href)).rejects.toMatchObject(refusal('the rights of the roles'));
  const set = rolesOfTest();
  const failure = (what: string) => ({
    code: 'MIGRATION_ROLES_FAILED',
    message: expect.stringContaining(what),
  });
  await expect(setUpRoles(url, set)).rejects.toMatchObject(failure('permission denied to create role'));
  const loginAsOwner = { ...set, owner: new URL(url).username };
  await expect(setUpRoles(own.connectionString, loginAsOwner)).rejects.toMatchObject(failure('can log in'));
  const two = { ...set, migrator: set.service };
  await expect(setUpRoles(own.connectionString, two)).rejects.toMatchObject(failure('three roles'));
});
