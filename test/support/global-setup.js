import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { URL } from 'node:url';
import { runMigrations } from 'bullmq';
import pg from 'pg';
import { buildOnce } from './environment-build.js';
import { ground } from './environment-ground.js';
import { findRedisProgram, startRedisServer } from './redis-server.js';

/** Nothing here has to outlive a crash, and every process less helps on a small machine. */
const POSTGRES_SETTINGS = {
  io_method: 'sync',
  wal_level: 'minimal',
  max_wal_senders: '0',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '300',
};

/**
 * Prepares what all suites share: the compiled program, one Postgres with a template database that is migrated
 * already, one Redis. The workers learn of it from environment variables; test/support/postgres.ts and redis.ts
 * read them. Runs in jest's main process, outside its module system, so it uses the compiled program.
 */
export default async function setUp() {
  const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'lethe-test-')));
  // As root, Postgres runs as another user and has to get in.
  await chmod(folder, 0o755);
  ground.folder = folder;
  startReaper(folder);
  process.env.LETHE_TEST_FOLDER = folder;
  await buildOnce();
  await setUpRedis(folder);
  await setUpPostgres(folder);
}

function startReaper(folder) {
  const program = path.join(import.meta.dirname, 'environment-reaper.js');
  // No options of jest's for it, and a group of its own: Ctrl-C must not reach it.
  ground.reaper = spawn(process.execPath, [program, folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: {},
  });
  ground.reaper.unref();
}

async function setUpPostgres(folder) {
  // An empty variable is as good as none.
  const adminUrl = process.env.TEST_DATABASE_URL || (await startPostgres(folder));
  const run = randomBytes(4).toString('hex');
  const template = `lethe_template_${run}`;
  ground.adminUrl = adminUrl;
  ground.run = run;
  process.env.LETHE_TEST_ADMIN_URL = adminUrl;
  process.env.LETHE_TEST_RUN = run;
  process.env.LETHE_TEST_TEMPLATE = template;
  await query(adminUrl, (client) => client.query(`CREATE DATABASE ${template}`));
  await fillTemplate(urlOf(adminUrl, template), rolesOf(run));
}

/** Of this run, since roles belong to a whole server, which other runs may be on. */
function rolesOf(run) {
  return { owner: `lethe_owner_${run}`, migrator: `lethe_migrator_${run}`, service: `lethe_service_${run}` };
}

async function startPostgres(folder) {
  const { startEmbeddedPostgres } = await import('../../dist/src/embedded/start-embedded-postgres.js');
  // A path short enough for a socket, and open to the account that Postgres runs as.
  const sockets = path.join(folder, 's');
  await mkdir(sockets);
  await chmod(sockets, 0o777);
  ground.postgres = await startEmbeddedPostgres({
    directory: path.join(folder, 'postgres'),
    settings: { ...POSTGRES_SETTINGS, unix_socket_directories: sockets },
  });
  // Half the cost of a TCP connection, for hundreds of thousands of round trips.
  const url = new URL(ground.postgres.connectionString);
  if (process.platform !== 'win32') url.searchParams.set('host', sockets);
  return url.href;
}

/** As an installation is set up: roles first, then the migrations, and the queue's, as the migrator. */
async function fillTemplate(url, roles) {
  const { setUpRoles } = await import('../../dist/db/set-up-roles.js');
  const { migrate } = await import('../../dist/db/migrate.js');
  const { serviceUrl, migrationUrl } = await setUpRoles(url, roles);
  await migrate(migrationUrl);
  await query(migrationUrl, async (client) => {
    await client.query(`SET ROLE ${roles.owner}`);
    await runMigrations(client);
  });
  ground.roles = roles;
  process.env.LETHE_TEST_SERVICE_URL = serviceUrl;
  process.env.LETHE_TEST_MIGRATION_URL = migrationUrl;
}

async function setUpRedis(folder) {
  if (process.env.REDIS_URL) {
    process.env.LETHE_TEST_REDIS_URL = process.env.REDIS_URL;
  } else if (findRedisProgram() !== undefined) {
    ground.redis = await startRedisServer({ directory: path.join(folder, 'redis') });
    process.env.LETHE_TEST_REDIS_URL = ground.redis.url;
    process.env.LETHE_TEST_REDIS_OWN = '1';
  } else if (process.env.LETHE_REQUIRE_REDIS === '1') {
    throw new Error(
      'LETHE_REQUIRE_REDIS=1, but there is no REDIS_URL and no redis-server or valkey-server on PATH.',
    );
  } else {
    console.warn('Redis suites are skipped: no REDIS_URL, and no redis-server or valkey-server on PATH.');
  }
}

function urlOf(adminUrl, database) {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  return url.href;
}

async function query(connectionString, work) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
