import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { createTestFolder } from './postgres.ts';
import type { Stage } from './stage.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** The programs as they are built and shipped. */
export const PROGRAMS = {
  worker: 'dist/workers/main.js',
  api: 'dist/src/main.js',
  all: 'dist/src/cli/start.js',
  keys: 'dist/src/cli/keys.js',
  lethe: 'dist/src/cli/lethe.js',
} as const;

export interface LetheProcess {
  readonly child: ChildProcess;
  /** Everything it has written so far. */
  output(): string;
  /** Waits until its output has this text. */
  says(text: string | RegExp): Promise<string>;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; gives the exit status. */
  stop(): Promise<number | null>;
  /** Waits for its end and gives the exit status. */
  ended(): Promise<number | null>;
}

const PATIENCE_MS = 20_000;

/**
 * Starts one of Lethe's programs in a process of its own, with this environment and nothing of ours. `root` is where
 * the program lies; this checkout when not given.
 */
export function startLethe(
  program: keyof typeof PROGRAMS,
  env: Readonly<Record<string, string>>,
  options: { args?: readonly string[]; cwd?: string; root?: string } = {},
): LetheProcess {
  const child = spawn(
    process.execPath,
    [join(options.root ?? ROOT, PROGRAMS[program]), ...(options.args ?? [])],
    {
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
      cwd: options.cwd ?? ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const exit = once(child, 'close');
  const ended = async () => {
    await exit;
    return child.exitCode;
  };
  return {
    child,
    output: () => text,
    says: async (wanted) => {
      const deadline = Date.now() + PATIENCE_MS;
      while (typeof wanted === 'string' ? !text.includes(wanted) : !wanted.test(text)) {
        if (child.exitCode !== null || Date.now() > deadline) {
          throw new Error(`${program} never said ${String(wanted)}; it said:\n${text}`);
        }
        await sleep(20);
      }
      return text;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exit;
    },
    stop: async () => {
      child.kill('SIGTERM');
      return ended();
    },
    ended,
  };
}

/** The environment of processes that work on a stage's database, queue and sandbox, under the key it was opened with. */
export async function stageEnvironment(
  stage: Pick<Stage, 'database' | 'queue' | 'openReplayUrl'>,
  masterKey: Uint8Array,
  more = '',
): Promise<Record<string, string>> {
  const { database, queue, openReplayUrl } = stage;
  return writeConfig(await createTestFolder(), {
    databaseUrl: database.serviceUrl,
    ...(queue.kind === 'redis' && { redisUrl: queue.url, prefix: queue.prefix }),
    ...{ openReplayUrl, masterKey, token: 'stage-token', more },
  });
}

/** Writes a lethe.yaml for processes of a test and gives the environment that points to it. */
export async function writeConfig(
  folder: string,
  parts: {
    databaseUrl: string;
    redisUrl?: string | undefined;
    prefix?: string;
    openReplayUrl: string;
    masterKey: Uint8Array;
    token: string;
    logLevel?: 'info' | 'debug';
    /** Further sections, as YAML. */
    more?: string;
  },
): Promise<Record<string, string>> {
  const path = join(folder, 'lethe.yaml');
  const queue =
    parts.redisUrl === undefined
      ? ''
      : `redisUrl: ${parts.redisUrl}\nqueuePrefix: ${parts.prefix ?? 'lethe'}\n`;
  await writeFile(
    path,
    `server: { port: 0 }
databaseUrl: \${TEST_DB}
${queue}masterKey: \${TEST_MASTER_KEY}
connections:
  - { name: default, url: "${parts.openReplayUrl}", apiKey: "${parts.token}", connectTimeoutMs: 1000, responseTimeoutMs: 2000 }
polling: { minIntervalMs: 100, maxIntervalMs: 300, fraction: 0.25 }
verification: { retryMs: 100, settleMs: 1000 }
retry: { baseMs: 50, maxMs: 300 }
worker: { leaseMs: 1000, handOutMs: 1000, dispatchIntervalMs: 25, drainMs: 3000 }
log: { level: ${parts.logLevel ?? 'info'} }
${parts.more ?? ''}`,
  );
  return {
    LETHE_CONFIG: path,
    TEST_DB: parts.databaseUrl,
    TEST_MASTER_KEY: Buffer.from(parts.masterKey).toString('base64'),
  };
}
