import { parseArgs } from 'node:util';
import { z } from 'zod';

/** What the soak is asked for. */
export interface SoakOptions {
  /** How long things go wrong. What is left then comes to rest in peace. */
  readonly minutes: number;
  readonly erasures: number;
  /** `postgres` is the embedded default: BullMQ on the Postgres from npm, and no Redis. */
  readonly queue: 'redis' | 'postgres';
  /** Same seed, same people and the same order of misfortunes. */
  readonly seed: number;
  /** Where the counts of checks are written as jest writes its own, for `.ci/run`. */
  readonly outputFile: string | undefined;
  /** Folder for what the processes wrote. */
  readonly logs: string | undefined;
}

const schema = z.strictObject({
  minutes: z.coerce.number().positive().max(600).default(5),
  erasures: z.coerce.number().int().min(100).max(100_000).default(3_000),
  queue: z.enum(['redis', 'postgres']).default('redis'),
  seed: z.coerce.number().int().min(0).optional(),
  'output-file': z.string().optional(),
  logs: z.string().optional(),
});

/** Throws when an option is not known or out of its bounds. */
export function readOptions(args: readonly string[]): SoakOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { minutes: text, erasures: text, queue: text, seed: text, 'output-file': text, logs: text },
  });
  const { 'output-file': outputFile, logs, ...read } = schema.parse(values);
  return { ...read, outputFile, logs, seed: read.seed ?? Math.floor(Math.random() * 2 ** 31) };
}
