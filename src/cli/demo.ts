import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startWorkerOf } from '../../workers/start-worker-of.ts';
import { openCore } from '../composition.ts';
import { loadConfig } from '../config.ts';
import { createLogger } from '../log.ts';
import { createSandbox, type Sandbox } from '../sandbox/sandbox.ts';
import { startApi } from '../start-api.ts';
import { BYSTANDERS, CAST, populate, SHOP } from './demo-cast.ts';
import { DemoClient, type ShownRequest } from './demo-client.ts';
import { isSettled, ProgressLine, resultTable } from './demo-screen.ts';

/** A night of the demo's OpenReplay takes this long. */
const DAY_MS = 4_000;
const LIMIT_MS = 55_000;

const CONFIG = `connections:
  - name: default
    url: \${OPENREPLAY_URL}
    apiKey: \${OPENREPLAY_API_KEY}
polling: { minIntervalMs: 150, maxIntervalMs: 1000, fraction: 0.25 }
verification: { retryMs: 200, settleMs: 5000 }
retry: { baseMs: 200, maxMs: 2000 }
worker: { leaseMs: 5000, dispatchIntervalMs: 50 }
`;

interface Stage {
  readonly apiUrl: string;
  readonly adminKey: string;
  readonly sandbox: Sandbox;
  readonly sandboxUrl: string;
  close(): Promise<void>;
}

/** Sandbox, embedded Postgres, API and worker, all in a folder that is removed afterwards. */
async function openStage(): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'lethe-demo-'));
  await chmod(directory, 0o755);
  const token = randomUUID();
  const sandbox = createSandbox({ personality: 'real', token, dayMs: DAY_MS });
  populate(sandbox);
  const sandboxUrl = await sandbox.start();
  const file = join(directory, 'lethe.yaml');
  await writeFile(file, CONFIG);
  const config = loadConfig({
    LETHE_CONFIG: file,
    LETHE_DATA_DIR: join(directory, 'data'),
    LETHE_LOG_LEVEL: process.env['LETHE_LOG_LEVEL'] ?? 'silent',
    OPENREPLAY_URL: sandboxUrl,
    OPENREPLAY_API_KEY: token,
    PORT: process.env['PORT'] ?? '0',
  });
  const core = await openCore(config, {
    role: 'demo',
    logger: createLogger({ level: config.log.level, name: 'demo' }),
  });
  const worker = await startWorkerOf(core);
  const api = await startApi(core);
  return {
    apiUrl: `http://127.0.0.1:${api.port}`,
    adminKey: (await readFile(join(config.dataDirectory, 'admin-key'), 'utf8')).trim(),
    sandbox,
    sandboxUrl,
    close: async () => {
      await api.stop();
      await worker.stop();
      await core.close();
      await sandbox.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Sends the whole cast's requests and follows them until nothing more happens by itself, or somebody interrupts. */
async function perform(client: DemoClient, interrupted: AbortSignal): Promise<readonly ShownRequest[]> {
  const started = Date.now();
  const progress = new ProgressLine();
  const ids = await Promise.all(
    CAST.map(({ userId, projectKeys }) =>
      client.submit({ subject: { userId }, ...(projectKeys && { projectKeys }) }, randomUUID()),
    ),
  );
  for (;;) {
    const requests = await client.list();
    progress.show(requests, (Date.now() - started) / 1000);
    const over = requests.every(isSettled) || Date.now() - started > LIMIT_MS;
    if (over || interrupted.aborted) {
      progress.end();
      return ids.flatMap((id) => requests.find((request) => request.id === id) ?? []);
    }
    await sleep(250);
  }
}

/** Holds the result against what was to happen, and against OpenReplay's own state. */
function judge(requests: readonly ShownRequest[], sandbox: Sandbox): readonly string[] {
  const wrong = CAST.flatMap((part, index) => {
    const state = requests[index]?.state ?? 'missing';
    return state === part.ends ? [] : [`${part.about}: ${state} instead of ${part.ends}`];
  });
  const left = CAST.filter(
    ({ ends, userId }) => ends === 'completed' && sandbox.sessionCount(SHOP, userId) > 0,
  );
  const lost = BYSTANDERS.filter((userId) => !sandbox.hasUser(SHOP, userId));
  return [
    ...wrong,
    ...left.map(({ about }) => `${about}: sessions are left at OpenReplay`),
    ...lost.map(() => 'somebody was erased whom nobody asked to erase'),
  ];
}

async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { keep: { type: 'boolean', default: false } } });
  const interrupted = interruption();
  process.stdout.write('Starting a sandbox of OpenReplay, an embedded Postgres, the API and a worker …\n');
  const stage = await openStage();
  try {
    process.stdout.write(
      `${CAST.length} erasure requests over HTTP; a night of this OpenReplay takes ${DAY_MS / 1000} s.\n`,
    );
    const requests = await perform(new DemoClient(stage.apiUrl, stage.adminKey), interrupted);
    if (interrupted.aborted) return EXIT_INTERRUPTED;
    const problems = report(requests, stage.sandbox);
    if (values.keep) await keep(stage, interrupted);
    return problems === 0 ? 0 : 1;
  } finally {
    await stage.close();
  }
}

/** As a shell reports a program that Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;

/** Aborted by the first Ctrl-C, so that nothing is left running; a second one ends the process at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    process.stdout.write('\nStopping …\n');
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return controller.signal;
}

/** Prints the table and what is wrong with it; gives the number of things that are. */
function report(requests: readonly ShownRequest[], sandbox: Sandbox): number {
  const rows = requests.flatMap((request, index) => {
    const part = CAST[index];
    return part ? [{ part, request }] : [];
  });
  process.stdout.write(`\n${resultTable(rows)}\n\n`);
  const problems = judge(requests, sandbox);
  for (const problem of problems) process.stdout.write(`WRONG: ${problem}\n`);
  if (problems.length === 0) {
    const kept = BYSTANDERS.length;
    process.stdout.write(
      `OpenReplay itself holds none of the ${CAST.length - 1} people any more; the ${kept} others are untouched.\n` +
        'One request waits for a person, as it must: its id can never be sent safely.\n',
    );
  }
  return problems.length;
}

/** Leaves everything running until Ctrl-C. */
async function keep(stage: Stage, interrupted: AbortSignal): Promise<void> {
  process.stdout.write(`
Lethe   ${stage.apiUrl}
key     ${stage.adminKey}
sandbox ${stage.sandboxUrl}

Try:    curl -H 'Authorization: Bearer ${stage.adminKey}' ${stage.apiUrl}/v1/erasure-requests
Stop:   Ctrl-C
`);
  if (interrupted.aborted) return;
  await new Promise<void>((resolve) => {
    interrupted.addEventListener('abort', () => {
      resolve();
    });
  });
}

process.exitCode = await main(process.argv.slice(2));
