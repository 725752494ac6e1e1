import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { JournalEntry } from '../../src/app/ports/journal.ts';
import { replayEntries } from '../../src/app/replay-journal.ts';
import { listApiKeys } from '../../src/app/show-api-keys.ts';
import { createHold } from '../../src/app/standing-holds.ts';
import { createFileJournal } from '../../src/journal/file-journal.ts';
import { readJournal } from '../../src/journal/read-journal.ts';
import { startLethe, stageEnvironment } from '../support/lethe-process.ts';
import { createTestFolder } from '../support/postgres.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage } from '../support/stage.ts';

const [backend] = queueBackends();
if (backend === undefined) throw new Error('there is always one');

let masterKey: Buffer;
let directory: string;
let before: Stage;
let restored: Stage;
beforeEach(async () => {
  masterKey = randomBytes(32);
  directory = await createTestFolder();
  const parts = { journal: createFileJournal({ directory, keepDays: 1 }) };
  before = await openStage({ backend, masterKey, parts });
  // A backup from before the first request is a database without any.
  const vaultKeys = await before.deps.store.listVaultKeys();
  const rules = [{ approval: 'two', identity: 'required' }] as const;
  restored = await openStage({ backend, masterKey, vaultKeys, rules });
});
afterEach(async () => {
  await Promise.all([before.close(), restored.close()]);
});

async function entries(since = new Date(0)): Promise<readonly JournalEntry[]> {
  const read: JournalEntry[] = [];
  for await (const one of readJournal(directory, since, () => undefined)) read.push(one);
  return read;
}
const replay = async (stage: Stage, dryRun = false) =>
  replayEntries(stage.deps, await entries(), {
    apiKeyId: () => Promise.resolve(stage.apiKeyId),
    dryRun,
  });

it('erases again, without asking again, who came back with a backup', async () => {
  for (const { sandbox } of [before, restored])
    sandbox.addUser({ projectKey: PROJECT, userId: 'came&back', sessions: 3 });
  restored.sandbox.addUser({ projectKey: PROJECT, userId: 'bystander', sessions: 1 });
  const { id } = await before.submit('came&back');
  const [erased] = (await before.settled(id)).tasks;
  const [planned] = await replay(restored, true);
  expect(planned).toMatchObject({ verdict: 'reopened', entry: { requestId: id, taskId: erased?.id } });
  const [opened] = await replay(restored);
  const requestId = opened?.requestId ?? '';
  const view = await restored.settled(requestId);
  expect(view).toMatchObject({ state: 'completed', channel: 'replay', outcome: 'erased' });
  const trail = await restored.trail(requestId);
  checkTrail(view, trail);
  expect(trail[0]?.data).toMatchObject({ replays_request_id: id, replays_task_id: erased?.id });
  expect(restored.sandbox.hasUser(PROJECT, 'came&back')).toBe(false);
  expect(restored.sandbox.hasUser(PROJECT, 'bystander')).toBe(true);
  expect((await replay(restored)).map(({ verdict }) => verdict)).toEqual(['reopened_before']);
});

it('is a command, which leaves a trail and a key that opens nothing', async () => {
  for (const { sandbox } of [before, restored])
    sandbox.addUser({ projectKey: PROJECT, userId: 'by command', sessions: 1 });
  await before.settled((await before.submit('by command')).id);
  const env = await stageEnvironment(restored, masterKey);
  const call = async (...args: string[]) => {
    const lethe = startLethe('lethe', env, { args: ['replay', '--journal', directory, ...args] });
    return { status: await lethe.ended(), output: lethe.output() };
  };
  const dry = await call('--since', '2026-01-01T00:00:00Z', '--dry-run', '--json');
  expect(dry).toMatchObject({ status: 0, output: expect.stringContaining('"verdict":"reopened"') });
  expect((await restored.allSettled(5_000)).size).toBe(0);
  const late = await call('--since', new Date(Date.now() + 60_000).toISOString());
  expect(late).toMatchObject({ status: 0, output: expect.stringContaining('none') });
  expect(await call('--since', '2026-01-01T00:00:00Z')).toMatchObject({
    status: 0,
    output: expect.stringMatching(/1 +opened again/),
  });
  const views = [...(await restored.allSettled(20_000)).values()];
  expect(views).toMatchObject([{ state: 'completed', channel: 'replay' }]);
  const keys = await listApiKeys(restored.deps);
  expect(keys.filter(({ name }) => name === 'lethe replay')).toEqual([
    expect.objectContaining({ revokedAt: expect.any(String) }),
  ]);
  expect((await call('--since', 'yesterday')).status).toBe(2);
});

it('leaves alone what the database knows', async () => {
  before.sandbox.addUser({ projectKey: PROJECT, userId: 'known', sessions: 1 });
  const { id } = await before.submit('known');
  await before.settled(id);
  expect(await replay(before)).toMatchObject([{ verdict: 'known', requestId: id }]);
});

it('keeps whom a standing hold is on', async () => {
  for (const { sandbox } of [before, restored])
    sandbox.addUser({ projectKey: PROJECT, userId: 'held', sessions: 1 });
  await before.settled((await before.submit('held')).id);
  const { apiKeyId } = restored;
  await createHold(restored.deps, { subject: { userId: 'held' }, reason: 'a lawsuit', apiKeyId });
  const [opened] = await replay(restored);
  expect(await restored.show(opened?.requestId ?? '')).toMatchObject({ state: 'on_hold' });
  expect(restored.sandbox.hasUser(PROJECT, 'held')).toBe(true);
});

it('says what it cannot open: another master key, a connection that is gone', async () => {
  before.sandbox.addUser({ projectKey: PROJECT, userId: 'gone', sessions: 1 });
  await before.settled((await before.submit('gone')).id);
  const [entry] = await entries();
  if (entry === undefined) throw new Error('no entry');
  const at = (changed: Partial<JournalEntry>) =>
    replayEntries(restored.deps, [{ ...entry, ...changed }], {
      apiKeyId: () => Promise.resolve(restored.apiKeyId),
      dryRun: false,
    });
  expect(await at({ sealed: randomBytes(40) })).toMatchObject([{ verdict: 'impossible', requestId: null }]);
  expect(await at({ connection: 'elsewhere' })).toMatchObject([
    { verdict: 'impossible', problem: expect.stringContaining('/connection') },
  ]);
});

it('writes no identifier, and calls nothing erased that is not in the journal', async () => {
  before.sandbox.addUser({ projectKey: PROJECT, userId: 'Nobody.But@Me', sessions: 1 });
  await before.settled((await before.submit('Nobody.But@Me')).id);
  const [file = ''] = await readdir(directory);
  const text = await readFile(join(directory, file), 'latin1');
  expect(text).not.toMatch(/nobody\.but/i);
  expect(text).not.toContain(Buffer.from('Nobody.But@Me').toString('base64').slice(0, 12));
  const broken = createFileJournal({ directory: join(directory, 'file'), keepDays: 1 });
  await writeFile(join(directory, 'file'), '');
  const unwritable = await openStage({ backend, parts: { journal: broken } });
  try {
    unwritable.sandbox.addUser({ projectKey: PROJECT, userId: 'stuck', sessions: 1 });
    const { id } = await unwritable.submit('stuck');
    const view = await unwritable.until(id, ({ tasks }) => tasks[0]?.waiting?.reason === 'internal_error');
    expect(view).toMatchObject({ state: 'erasing', tasks: [{ state: 'verifying' }] });
  } finally {
    await unwritable.close();
  }
});
