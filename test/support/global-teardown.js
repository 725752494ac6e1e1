import pg from 'pg';
import { ground } from './environment-ground.js';

/** Drops what this run made on a server that is not ours, stops what is ours, and waits for the folder to go. */
export default async function tearDown() {
  if (ground.postgres === undefined && ground.run !== undefined) await dropDatabasesAndRoles();
  await ground.redis?.kill();
  await ground.postgres?.stop();
  await endReaper();
}

async function dropDatabasesAndRoles() {
  const client = new pg.Client({ connectionString: ground.adminUrl });
  await client.connect();
  try {
    const { rows } = await client.query('SELECT datname FROM pg_database WHERE datname ~ $1', [
      `^lethe_(template|test)_${ground.run}`,
    ]);
    for (const { datname } of rows) await client.query(`DROP DATABASE ${datname} WITH (FORCE)`);
    for (const role of Object.values(ground.roles ?? {})) await client.query(`DROP ROLE ${role}`);
  } finally {
    await client.end();
  }
}

/** The reaper removes the run's folder, and any server a test forgot in it, once its input ends. */
async function endReaper() {
  const { reaper } = ground;
  if (reaper === undefined || reaper.exitCode !== null) return;
  reaper.ref();
  const ended = new Promise((resolve) => reaper.once('exit', resolve));
  reaper.stdin.end('done');
  await ended;
}
