import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { Deps } from '../../src/app/ports.ts';
import { rotateMaster } from '../../src/app/rotate-master.ts';
import { showSubject } from '../../src/app/show-subject.ts';
import { createHold, listHolds } from '../../src/app/standing-holds.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import { startLethe, stageEnvironment } from '../support/lethe-process.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage } from '../support/stage.ts';

/** The master key is changed while a worker runs that still has the old one as its current one, and can read the new one. */
const OLD = randomBytes(32);
const NEW = randomBytes(32);
const BY = { kind: 'local' } as const;

const [backend] = queueBackends();
let stage: Stage;
/** As a process has them that was started anew. */
let after: Deps;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is always one');
  stage = await openStage({ backend, masterKey: OLD, otherMasterKeys: [NEW] });
  after = { ...stage.deps, vault: await openWith(NEW, OLD) };
});
afterAll(() => stage.close());

const openWith = (...masterKeys: [Uint8Array, ...Uint8Array[]]) =>
  openVault(stage.deps.store, { masterKeys, tenant: 'default' });

const counts = z.array(z.object({ master: z.string(), keys: z.number() }));
/** How many keys each master key wraps. */
async function wrappedBy(): Promise<Readonly<Record<string, number>>> {
  const { rows } = await stage.database.pool.query(
    `SELECT encode(substring(wrapped FROM 2 FOR 8), 'hex') AS master, count(*)::int AS keys
     FROM (SELECT wrapped FROM data_keys UNION ALL SELECT wrapped FROM vault_keys) AS kept GROUP BY 1`,
  );
  return Object.fromEntries(counts.parse(rows).map(({ master, keys }) => [master, keys]));
}

const lastAdminEvent = z.object({
  type: z.string(),
  actor: z.string(),
  data: z.record(z.string(), z.unknown()),
});
async function lastTold() {
  const events = await stage.deps.store.listAdminEventBytes({ after: -1, limit: 200 });
  return lastAdminEvent.parse(JSON.parse(Buffer.from(events.at(-1) ?? []).toString()));
}

it('goes on with everything that is under way, and then needs the old one no longer', async () => {
  const userIds = Array.from({ length: 6 }, (_, index) => `somebody ${index}`);
  const addUser = (userId: string) => {
    stage.sandbox.addUser({ projectKey: PROJECT, userId, sessions: 2 });
  };
  userIds.forEach(addUser);
  const hold = await createHold(stage.deps, {
    ...{ subject: { userId: 'held' }, reason: 'a lawsuit', apiKeyId: stage.apiKeyId },
  });
  const before = await Promise.all(userIds.map(async (userId) => stage.submit(userId)));
  const first = await rotateMaster(after, BY);
  expect(first).toEqual({ masterId: after.vault.masterId, dataKeys: 6, vaultKeys: 4 });
  expect(await lastTold()).toEqual({
    type: 'master_key.rotated',
    actor: 'local',
    data: { master_key: after.vault.masterId, data_keys: 6, vault_keys: 4 },
  });
  addUser('somebody later');
  const later = await stage.submit('somebody later');
  for (const { id } of [...before, later]) {
    const view = await stage.settled(id);
    expect(view).toMatchObject({ state: 'completed', outcome: 'erased' });
    checkTrail(view, await stage.trail(id));
  }
  expect(await wrappedBy()).toEqual({ [after.vault.masterId]: 10, [stage.deps.vault.masterId]: 1 });

  // By the command, as a person would; the second time there is nothing to do, and nothing is told.
  const env = {
    ...(await stageEnvironment(stage, NEW)),
    LETHE_OTHER_MASTER_KEYS: OLD.toString('base64'),
  };
  for (const left of [1, 0]) {
    const lethe = startLethe('lethe', env, { args: ['keys', 'rotate-master', '--json'] });
    expect([await lethe.ended(), lethe.output()]).toEqual([0, expect.stringContaining(`"dataKeys":${left}`)]);
  }
  expect(await lastTold()).toMatchObject({ data: { data_keys: 1, vault_keys: 0 } });
  expect(await wrappedBy()).toEqual({ [after.vault.masterId]: 11 });

  const alone: Deps = { ...stage.deps, vault: await openWith(NEW) };
  for (const [index, { id, subject }] of before.entries()) {
    const userId = userIds[index] ?? '';
    expect(await showSubject(alone, { requestId: id, apiKeyId: stage.apiKeyId })).toEqual({ userId });
    expect(alone.vault.subjectRefs({ userId })[0]?.value).toBe(subject.ref);
  }
  expect((await listHolds(alone, { standing: true, limit: 10 })).items).toMatchObject([
    { id: hold.id, reason: 'a lawsuit' },
  ]);
  await expect(openWith(OLD)).rejects.toMatchObject({ code: 'MASTER_KEY_MISSING' });
});

it('does the rest where it was broken off, however many there are', async () => {
  const { pool } = stage.database;
  const ids = Array.from({ length: 1_100 }, (_, index) => `er_planted_${String(index).padStart(4, '0')}`);
  await pool.query(
    `INSERT INTO erasure_requests (id, state, regulation, channel, connection, subject_kind, subject_key_version,
       subject_ref, subject_sealed, submitted_by, received_at, created_at, closed_at)
     SELECT id, 'refused', 'gdpr', 'api', 'default', 'user_id', 1, sha256(''), '', $2, now(), now(), now()
     FROM unnest($1::text[]) AS id`,
    [ids, stage.apiKeyId],
  );
  const wrapped = ids.map((id) => stage.deps.vault.newDataKey(id).wrapped);
  await pool.query('INSERT INTO data_keys SELECT * FROM unnest($1::text[], $2::bytea[])', [ids, wrapped]);
  let transactions = 0;
  const store: Deps['store'] = {
    ...stage.deps.store,
    transaction: (work) => {
      transactions += 1;
      if (transactions > 2) throw new Error('broken off');
      return stage.deps.store.transaction(work);
    },
  };
  await expect(rotateMaster({ ...after, store }, BY)).rejects.toThrow('broken off');
  expect(await wrappedBy()).toMatchObject({ [stage.deps.vault.masterId]: 100 });
  // Two at once wrap each key once.
  const both = await Promise.all([rotateMaster(after, BY), rotateMaster(after, BY)]);
  expect(both.reduce((sum, { dataKeys }) => sum + dataKeys, 0)).toBe(100);
  expect(Object.keys(await wrappedBy())).toEqual([after.vault.masterId]);
  // A process that was not given the new key is told so when it starts.
  await expect(openWith(OLD)).rejects.toThrow(after.vault.masterId);
});
