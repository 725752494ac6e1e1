import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { createApiKey } from '../src/app/create-api-key.ts';
import { listRequests } from '../src/app/show-request.ts';
import { submitRequest } from '../src/app/submit-request.ts';
import { openCore, type Core } from '../src/composition.ts';
import { loadConfig } from '../src/config.ts';
import { createLogger } from '../src/log.ts';
import { JOBS_PER_PAGE } from '../src/app/find-job.ts';
import { createSandbox } from '../src/sandbox/sandbox.ts';
import { startWorkerOf } from '../workers/start-worker-of.ts';

/**
 * `npm run bench:calls`: counts the calls that 5,000 erasures in one project take while jobs take 10 s, 60 s and 10 min of the
 * sandbox's time, and holds them
 * against the least that is possible. Fails above 1.1 times that and three sweeps through the list of jobs.
 * BENCH_ERASURES=N makes it another number.
 */
const PROJECT = 'benchProject00000000';
const TOKEN = 'bench-token';
const ERASURES = Number(process.env['BENCH_ERASURES'] ?? 5_000);
/** How much faster than ours the sandbox's time runs, and with it the intervals of polling. */
const JOBS = [
  { seconds: 10, scale: 1 },
  { seconds: 60, scale: 1 },
  { seconds: 600, scale: 5 },
] as const;
type Jobs = (typeof JOBS)[number];
const AT_A_TIME = 20;
/**
 * What nothing can be spared of: the count of sessions before, the deletion, and user and sessions afterwards. Live sessions are
 * asked for once for each connection that has none.
 */
const READS_OF_EVIDENCE = ['listUserSessions', 'getUser', 'listUserSessions'] as const;

const counts = z.object({ calls: z.record(z.string(), z.number()) });

if (process.argv[2] === 'sandbox') await runSandbox(Number(process.argv[3]));
else for (const jobs of JOBS) await run(jobs);

async function runSandbox(jobDelayMs: number): Promise<void> {
  const sandbox = createSandbox({ personality: 'real', token: TOKEN, jobDelayMs, analyticsLagMs: 0 });
  sandbox.addProject(PROJECT);
  for (let n = 0; n < ERASURES; n += 1)
    sandbox.addUser({ projectKey: PROJECT, userId: `user-${n}`, sessions: 1 });
  process.on('message', () => process.send?.({ calls: sandbox.calls }));
  process.send?.({ url: await sandbox.start() });
  await once(process, 'disconnect');
  await sandbox.stop();
}

async function run({ seconds, scale }: Jobs): Promise<void> {
  const child = fork(process.argv[1] ?? '', ['sandbox', String((seconds * 1_000) / scale)]);
  const folder = await mkdtemp(path.join(tmpdir(), 'lethe-bench-'));
  try {
    const core = await openCore(await configuration(child, folder, scale), {
      role: 'bench',
      logger: createLogger({ level: 'error', name: 'bench' }),
    });
    try {
      await submitAll(core);
      const began = Date.now();
      const worker = await startWorkerOf(core);
      try {
        await allCompleted(core);
      } finally {
        await worker.stop();
      }
      await report({ child, seconds, tookMs: Date.now() - began });
    } finally {
      await core.close();
    }
  } finally {
    child.disconnect();
    await rm(folder, { recursive: true, force: true });
  }
}

async function configuration(
  child: ChildProcess,
  folder: string,
  scale: number,
): Promise<ReturnType<typeof loadConfig>> {
  const started: unknown[] = await once(child, 'message');
  const { url } = z.object({ url: z.string() }).parse(started[0]);
  const env = { OPENREPLAY_URL: url, OPENREPLAY_API_KEY: TOKEN, LETHE_DATA_DIR: path.join(folder, 'data') };
  const config = loadConfig(env, { cwd: folder });
  const { polling, policy } = config;
  const scaled = {
    minIntervalMs: polling.minIntervalMs / scale,
    maxIntervalMs: polling.maxIntervalMs / scale,
  };
  return { ...config, polling: { ...polling, ...scaled }, policy: { ...policy, waitForLiveMinutes: 0 } };
}

async function submitAll({ deps }: Core): Promise<void> {
  const { id: apiKeyId } = await createApiKey(deps, { name: 'bench', scopes: ['admin'] }, 'local');
  const left = Array.from({ length: ERASURES }, (_, n) => `user-${n}`);
  const submit = async () => {
    for (let userId = left.pop(); userId !== undefined; userId = left.pop()) {
      const submission = { subject: { userId }, projectKeys: [PROJECT] };
      await submitRequest(deps, submission, { apiKeyId, idempotencyKey: undefined, channel: 'api' });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, submit));
}

/** Looks at the newest that is not completed, so that the look costs little. */
async function allCompleted({ deps }: Core): Promise<void> {
  for (const state of ['discovering', 'erasing'] as const) {
    while ((await listRequests(deps, { state, limit: 1 })).items.length > 0) await sleep(500);
  }
  const { items } = await listRequests(deps, { state: 'needs_attention', limit: 1 });
  if (items.length > 0) throw new Error('a request needs attention');
}

async function report(of: { child: ChildProcess; seconds: number; tookMs: number }): Promise<void> {
  of.child.send('calls');
  const answers: unknown[] = await once(of.child, 'message');
  const { calls } = counts.parse(answers[0]);
  const all = Object.values(calls).reduce((sum, count) => sum + count, 0);
  const sweep = Math.ceil(ERASURES / JOBS_PER_PAGE);
  const least = ERASURES * (1 + READS_OF_EVIDENCE.length) + sweep;
  const limit = 1.1 * least + 3 * sweep;
  const made = Object.entries(calls).filter(([, count]) => count > 0);
  process.stdout.write(
    `jobs of ${of.seconds} s: ${all} calls for ${ERASURES} erasures, ${(all / ERASURES).toFixed(3)} each; the least is ` +
      `${least}; ${(all / least).toFixed(3)} times (at most ${limit.toFixed(0)} calls); ` +
      `${(ERASURES / (of.tookMs / 1_000)).toFixed(0)} erasures/s\n  ${made.map((one) => one.join(' ')).join(', ')}\n`,
  );
  if (all > limit) process.exitCode = 1;
}
