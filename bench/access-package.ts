import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { createApiKey } from '../src/app/create-api-key.ts';
import { beginDownload } from '../src/app/download-package.ts';
import { showRequest } from '../src/app/show-request.ts';
import { submitRequest } from '../src/app/submit-request.ts';
import { verifyIdentity } from '../src/app/verify-identity.ts';
import { openCore, type Core } from '../src/composition.ts';
import { loadConfig } from '../src/config.ts';
import { zipped } from '../src/http/zip.ts';
import { createLogger } from '../src/log.ts';
import { createSandbox } from '../src/sandbox/sandbox.ts';
import { startWorkerOf } from '../workers/start-worker-of.ts';

/**
 * `npm run bench:access`: gathers and downloads the packages of a light and of a heavy user, and compares the memory that
 * each took. The sandbox is a process of its own, so that its memory is not counted. Fails when the heavy user's package
 * takes much more than the light one's: a package is never whole in memory.
 */
const PROJECT = 'benchProject00000000';
const TOKEN = 'bench-token';
const EVENTS = 100;
const LIGHT = 250;
const HEAVY = 2_500;
/** What garbage collection leaves lying about differs from run to run. */
const ALLOWANCE_BYTES = 64 * 1024 * 1024;

if (process.argv[2] === 'sandbox') await runSandbox();
else await run();

async function runSandbox(): Promise<void> {
  const sandbox = createSandbox({ personality: 'real', token: TOKEN });
  sandbox.addProject(PROJECT);
  for (const sessions of [1, LIGHT, HEAVY]) {
    const userId = `user-${sessions}`;
    sandbox.addUser({ projectKey: PROJECT, userId, sessions: 0 });
    for (let n = 0; n < sessions; n += 1) {
      const startTs = Date.now() - (sessions - n) * 3_600_000;
      sandbox.addSession({ projectKey: PROJECT, userId, startTs, eventsCount: EVENTS });
    }
  }
  process.send?.({ url: await sandbox.start() });
  await once(process, 'disconnect');
  await sandbox.stop();
}

async function run(): Promise<void> {
  const child = fork(process.argv[1] ?? '', ['sandbox']);
  const folder = await mkdtemp(path.join(tmpdir(), 'lethe-bench-'));
  try {
    const core = await openCore(loadConfig(await environment(child, folder), { cwd: folder }), {
      role: 'bench',
      logger: createLogger({ level: 'error', name: 'bench' }),
    });
    const worker = await startWorkerOf(core);
    try {
      // Everything is loaded and every pool is open before anything is measured.
      await measure(core, 1);
      judge([await measure(core, LIGHT), await measure(core, HEAVY)]);
    } finally {
      await worker.stop();
      await core.close();
    }
  } finally {
    child.disconnect();
    await rm(folder, { recursive: true, force: true });
  }
}

async function environment(child: ChildProcess, folder: string): Promise<Record<string, string>> {
  const started: unknown[] = await once(child, 'message');
  const { url } = z.object({ url: z.string() }).parse(started[0]);
  return { OPENREPLAY_URL: url, OPENREPLAY_API_KEY: TOKEN, LETHE_DATA_DIR: path.join(folder, 'data') };
}

interface Measured {
  readonly sessions: number;
  readonly plainBytes: number;
  readonly zipBytes: number;
  readonly gatherMs: number;
  readonly downloadMs: number;
  /** Over what there was before. */
  readonly peakBytes: number;
}

async function measure({ deps }: Core, sessions: number): Promise<Measured> {
  const { id: apiKeyId } = await createApiKey(deps, { name: 'bench', scopes: ['admin'] }, 'local');
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  let peak = before;
  const sampler = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 20);
  const began = Date.now();
  const { requestId } = await submitRequest(
    deps,
    { type: 'access', subject: { userId: `user-${sessions}` } },
    { apiKeyId, idempotencyKey: undefined, channel: 'api' },
  );
  await verifyIdentity(deps, { requestId, apiKeyId, method: 'other' });
  let plainBytes: number | null | undefined;
  while ((plainBytes = (await showRequest(deps, requestId))?.accessPackage?.bytes) == null) await sleep(50);
  const gathered = Date.now();
  const download = await beginDownload(deps, { requestId, apiKeyId });
  let zipBytes = 0;
  for await (const chunk of zipped(download.files, download.readyAt)) zipBytes += chunk.length;
  await download.sent();
  clearInterval(sampler);
  return {
    sessions,
    plainBytes,
    zipBytes,
    gatherMs: gathered - began,
    downloadMs: Date.now() - gathered,
    peakBytes: peak - before,
  };
}

function judge([light, heavy]: readonly [Measured, Measured]): void {
  const mb = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MiB`;
  for (const each of [light, heavy]) {
    process.stdout.write(
      `${each.sessions} sessions, ${each.sessions * EVENTS} events: ${mb(each.plainBytes)} of JSON, ` +
        `${mb(each.zipBytes)} zipped; gathered in ${each.gatherMs} ms, downloaded in ${each.downloadMs} ms; ` +
        `memory at most ${mb(each.peakBytes)} over the start\n`,
    );
  }
  if (heavy.peakBytes <= light.peakBytes + ALLOWANCE_BYTES) return;
  process.stdout.write('The heavy package took much more memory than the light one.\n');
  process.exitCode = 1;
}
