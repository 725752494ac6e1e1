import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { findActiveJob, JOBS_PER_PAGE } from '../../src/app/find-job.ts';
import { createOpenReplayClient } from '../../src/openreplay/client.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';

const PROJECT = 'findProject000000000';
const FIRST = { projectKey: PROJECT, userId: 'first' };

let sandbox: Sandbox;
let client: ReturnType<typeof createOpenReplayClient>;
beforeEach(async () => {
  sandbox = createSandbox({ personality: 'real', token: 'find-token' });
  sandbox.addProject(PROJECT);
  client = createOpenReplayClient({
    ...{ baseUrl: await sandbox.start(), apiKey: 'find-token', maxSockets: 20 },
    ...{ connectTimeoutMs: 10_000, responseTimeoutMs: 10_000, maxBodyBytes: 1_000_000 },
  });
  // The newest come first, so the first one's job is on the second page.
  await client.deleteUser(FIRST);
  const others = Array.from({ length: JOBS_PER_PAGE }, (_, n) => ({ ...FIRST, userId: `user-${n}` }));
  await Promise.all(others.map((user) => client.deleteUser(user)));
});
afterEach(async () => {
  client.close();
  await sandbox.stop();
});

it('goes on with a search where a page did not come', async () => {
  sandbox.script('listJobs', 'none');
  sandbox.script('listJobs', 'errors500', 2);
  const found = await findActiveJob(client, FIRST);
  expect(found).toMatchObject({ ok: true, value: { referenceId: 'first' } });
  expect(sandbox.calls.listJobs).toBe(4);
});

it('gives a search up when a page does not come at all, or is refused', async () => {
  sandbox.script('listJobs', 'errors500', 3);
  expect(await findActiveJob(client, FIRST)).toMatchObject({ ok: false, failure: { kind: 'server_error' } });
  expect(sandbox.calls.listJobs).toBe(3);
  sandbox.script('listJobs', 'rateLimited');
  expect(await findActiveJob(client, FIRST)).toMatchObject({ ok: false, failure: { kind: 'rate_limited' } });
  expect(sandbox.calls.listJobs).toBe(4);
});
