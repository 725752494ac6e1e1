import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createPool, inTransaction, StoreUnavailableError } from '../../src/store/connection.ts';
import { guarded } from '../../workers/context.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { plantWork, readWork } from '../support/work-rows.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ backend: { name: 'postgres', redisUrl: undefined }, withoutWorker: true });
});
afterAll(() => stage.close());

it('is said as such also where the connection was lost between two statements', async () => {
  const { serviceUrl: connectionString, pool: others } = stage.database;
  const pool = createPool({ connectionString, max: 1, applicationName: 'lost' });
  // A connection that is known to be lost takes no statement any more, and pg's error for that has no code.
  const lost = new Promise((resolve) => {
    pool.on('connect', (client) => client.once('end', resolve));
  });
  const work = inTransaction(pool, async (client) => {
    await others.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lost'`,
    );
    await lost;
    await client.query('SELECT 1');
  });
  await expect(work).rejects.toBeInstanceOf(StoreUnavailableError);
  await pool.end();
});

it.each([
  ['a warning', new StoreUnavailableError(new Error('gone')), ['the database went away during a step']],
  ['an error where nobody knows why', new Error('a bug'), ['a step failed']],
])('in the middle of a step is %s in the log, and the work is due again', async (level, error, said) => {
  const { store } = stage.deps;
  await plantWork(stage.database.pool);
  const leases = await store.claimDueWork({
    connection: 'default',
    handOutMs: 60_000,
    max: 10,
    maxPolls: 10,
  });
  const works = await store.takeWork(leases, 60_000);
  const warnings: string[] = [];
  const errors: string[] = [];
  const log = {
    ...stage.deps.log,
    warn: (_fields: object, message: string) => void warnings.push(message),
    error: (_fields: object, message: string) => void errors.push(message),
  };
  await guarded({ deps: { ...stage.deps, log } }, works, () => Promise.reject(error));
  expect({ warnings, errors }).toEqual(
    level === 'a warning' ? { warnings: said, errors: [] } : { warnings: [], errors: said },
  );
  const rows = await readWork(stage.database.pool);
  expect(rows).toHaveLength(1);
  expect(rows[0]).toMatchObject({ reason: 'internal_error', attempts: 1, lease: null, held: false });
  await stage.database.pool.query('DELETE FROM work');
});
