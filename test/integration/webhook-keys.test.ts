import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { z } from 'zod';
import { readDelivery } from '../../src/app/judge-delivery.ts';
import { receiveDelivery } from '../../src/app/receive-delivery.ts';
import { rotateMaster } from '../../src/app/rotate-master.ts';
import { LETHE } from '../../src/domain/events.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, type Stage } from '../support/stage.ts';
import { sourceOf, ticketSent } from '../support/ticketing.ts';

const [backend] = queueBackends();
if (backend === undefined) throw new Error('no queue backend');
const before = randomBytes(32);
const after = randomBytes(32);
const source = sourceOf('github');

let stage: Stage;
beforeAll(async () => {
  const intake = {
    sources: new Map([['github', source]]),
    maxBodyBytes: 10_000,
    keepUnmappableMs: 3_600_000,
  };
  stage = await openStage({ backend, masterKey: before, withoutWorker: true, parts: { intake } });
});
afterAll(() => stage.close());

const counted = z.tuple([z.object({ keys: z.number() })]);

it('a delivery that waits is read under another master key, and only under that, once keys were rotated', async () => {
  const { deps, database } = stage;
  const { headers, body } = ticketSent('github', {
    key: 'K-1',
    labels: ['gdpr-erasure'],
    customerId: 'user-1',
  });
  const receipt = await receiveDelivery(deps, source, {
    header: (name) => headers[name],
    body: Buffer.from(body),
    now: new Date(),
    network: '192.0.2.1',
  });
  expect(receipt).toMatchObject({ outcome: 'kept' });
  const open = (...masterKeys: readonly [Uint8Array, ...Uint8Array[]]) =>
    openVault(deps.store, { masterKeys, tenant: 'default' });
  await expect(open(after)).rejects.toMatchObject({ code: 'MASTER_KEY_MISSING' });
  const both = await open(after, before);
  expect(await rotateMaster({ ...deps, vault: both }, LETHE)).toMatchObject({ dataKeys: 1 });
  const vault = await open(after);
  const sql = `SELECT count(*)::int AS keys FROM webhook_deliveries
    WHERE encode(substring(key_wrapped FROM 2 FOR 8), 'hex') <> $1`;
  expect(counted.parse((await database.pool.query(sql, [vault.masterId])).rows)[0].keys).toBe(0);
  // As a dispatcher hands it out, without waiting for others to come.
  const lease = `UPDATE work SET lease = gen_random_uuid() WHERE kind = 'judge' RETURNING id, lease`;
  const leases = z
    .array(z.object({ id: z.string(), lease: z.string() }))
    .parse((await database.pool.query(lease)).rows);
  const [held] = await deps.store.takeDeliveries(leases, 10_000);
  if (held === undefined) throw new Error('nothing was taken');
  expect(readDelivery({ ...deps, vault }, held).verdict).toMatchObject({
    kind: 'request',
    ticket: { reference: 'K-1', subject: { userId: 'user-1' } },
  });
  expect(() => readDelivery(deps, held)).toThrow(/configured/);
  // A row that somebody changed is for a person to see, and is not tried for ever.
  const changed = { ...held, bodySealed: Buffer.from(held.bodySealed).fill(0, 20, 30) };
  expect(readDelivery({ ...deps, vault }, changed).verdict).toMatchObject({
    kind: 'unmappable',
    problems: [{ field: null, expected: 'a body that the keys of the vault open' }],
  });
});

it('replay keys are forgotten when their time is over, and count again then', async () => {
  const { deps, database } = stage;
  const { headers, body } = ticketSent('github', {
    key: 'K-2',
    labels: ['gdpr-erasure'],
    customerId: 'user-2',
  });
  const send = async () => {
    const call = { header: (name: string) => headers[name], body: Buffer.from(body), now: new Date() };
    return (await receiveDelivery(deps, source, { ...call, network: '192.0.2.1' })).outcome;
  };
  expect([await send(), await send()]).toEqual(['kept', 'repeated']);
  await database.pool.query("UPDATE replay_keys SET until = now() - interval '1 second'");
  expect([await send(), await send()]).toEqual(['kept', 'repeated']);
  await database.pool.query("UPDATE replay_keys SET until = now() - interval '1 second'");
  await deps.store.forgetReplayKeys(1);
  await deps.store.forgetReplayKeys(1_000);
  expect((await database.pool.query('SELECT FROM replay_keys')).rowCount).toBe(0);
});
