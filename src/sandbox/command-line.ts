import { parseArgs } from 'node:util';
import { z } from 'zod';
import { CALL_FAULTS, JOB_FAULTS, type Faults } from './faults.ts';
import { EDITIONS, OPERATION_IDS, PERSONALITIES, type SandboxOptions } from './options.ts';

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'run';
      readonly port: number;
      readonly options: SandboxOptions;
      readonly faults: FaultSetting[];
    };

/** One `--fault`: its name and, where only one operation is meant, which. */
export interface FaultSetting {
  readonly name: FaultName;
  readonly operationId: (typeof OPERATION_IDS)[number] | undefined;
  /** From 0 to 1; for `missedRuns` a number of nights. */
  readonly rate: number;
}

const CALL_FAULT_NAMES = CALL_FAULTS.filter((name) => name !== 'none');
const FAULT_NAMES = [...CALL_FAULT_NAMES, ...JOB_FAULTS, 'missedRuns'] as const;
type FaultName = (typeof FAULT_NAMES)[number];

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const unit = z.enum(['ms', 's', 'm', 'h', 'd']);

export const HELP = `An OpenReplay to develop against: its public API v2, with data of its own and a night that comes soon.

Usage: npm run sandbox -- [options]      Each option may also come from the environment, as SANDBOX_<NAME>.

  --port NUMBER           port to listen on (default 4010; 0 takes a free one)
  --host ADDRESS          address to listen on (default 127.0.0.1)
  --personality NAME      contract: the API as its file says; real: as servers in the field answer (default real)
  --edition NAME          community or enterprise (default: enterprise for contract, community for real)
  --day LENGTH            how long one day lasts; jobs run after midnight (default 5m; 500, 10s, 5m, 24h)
  --job-delay LENGTH      run each job so long after it was asked for, and not after midnight
  --token KEY             the API key (default sandbox-key)
  --projects NUMBER       projects to make (default 2)
  --users NUMBER          users to make in each project (default 25)
  --seed NUMBER           same seed, same people and same faults (default 1)
  --fault NAME=RATE       what goes wrong, and how often (0 to 1); may be given again and again.
                          NAME:OPERATION=RATE for one operation, e.g. errors500:getJob=0.2
  --help                  this text

Faults of calls: ${CALL_FAULT_NAMES.join(', ')}
Faults of jobs:  ${JOB_FAULTS.join(', ')}; missedRuns=NIGHTS
`;

const length = z.string().transform((text, context) => {
  const match = /^(\d+(?:\.\d+)?)([a-z]*)$/.exec(text);
  const known = unit.safeParse(match?.[2] === '' ? 'ms' : match?.[2]);
  const ms = Number(match?.[1]) * UNIT_MS[known.data ?? 'ms'];
  if (known.success && ms > 0) return ms;
  context.addIssue('must be a length of time such as 500, 10s, 5m or 24h');
  return z.NEVER;
});

const fault = z.string().transform((text, context): FaultSetting => {
  const match = /^([A-Za-z0-9]+)(?::([A-Za-z]+))?=([\d.]+)$/.exec(text);
  const name = z.enum(FAULT_NAMES).safeParse(match?.[1]);
  const operationId = z.enum(OPERATION_IDS).optional().safeParse(match?.[2]);
  const rate = Number(match?.[3]);
  if (!name.success || !operationId.success || !(name.data === 'missedRuns' || rate <= 1)) {
    context.addIssue(
      `must be NAME=RATE or NAME:OPERATION=RATE with a rate from 0 to 1; names: ${FAULT_NAMES.join(', ')}`,
    );
    return z.NEVER;
  }
  return { name: name.data, operationId: operationId.data, rate };
});

const schema = z.object({
  port: z.coerce.number().int().min(0).max(65_535).default(4010),
  host: z.string().default('127.0.0.1'),
  personality: z.enum(PERSONALITIES).default('real'),
  edition: z.enum(EDITIONS).optional(),
  day: length.default(5 * UNIT_MS.m),
  'job-delay': length.optional(),
  token: z.string().min(1).default('sandbox-key'),
  projects: z.coerce.number().int().min(0).max(1000).default(2),
  users: z.coerce.number().int().min(0).max(1_000_000).default(25),
  seed: z.coerce.number().int().default(1),
  fault: z.array(fault).default([]),
});

const text = { type: 'string' } as const;
const FLAGS = {
  port: text,
  host: text,
  personality: text,
  edition: text,
  day: text,
  'job-delay': text,
  token: text,
  projects: text,
  users: text,
  seed: text,
  fault: { type: 'string', multiple: true },
  help: { type: 'boolean' },
} as const;

/**
 * Reads flags, then the environment (SANDBOX_PORT, SANDBOX_JOB_DELAY, ...; SANDBOX_FAULT separates by commas), then
 * defaults. Throws Error, with a sentence for each thing wrong, when it cannot be read.
 */
export function readCommandLine(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Command {
  const { values } = parseArgs({ args: [...args], options: FLAGS, strict: true, allowPositionals: false });
  if (values.help === true) return { kind: 'help' };
  const read = schema.safeParse({ ...fromEnvironment(environment), ...values });
  if (!read.success) {
    throw new Error(
      read.error.issues.map(({ path, message }) => `--${path.map(String).join(' ')}: ${message}`).join('\n'),
    );
  }
  const { port, fault: faults, day: dayMs, 'job-delay': jobDelayMs, edition, ...rest } = read.data;
  const options = {
    ...{ ...rest, dayMs },
    ...(jobDelayMs === undefined ? {} : { jobDelayMs }),
    ...(edition === undefined ? {} : { edition }),
  };
  return { kind: 'run', port, options, faults };
}

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const found = Object.keys(FLAGS).flatMap((flag): [string, unknown][] => {
    const value = environment[`SANDBOX_${flag.toUpperCase().replace('-', '_')}`];
    if (value === undefined || value === '' || flag === 'help') return [];
    return [[flag, flag === 'fault' ? value.split(',') : value]];
  });
  return Object.fromEntries(found);
}

/** Puts the settings of the command line into force. */
export function applyFaults(faults: Faults, settings: readonly FaultSetting[]): void {
  for (const { name, operationId, rate } of settings) {
    if (name === 'missedRuns') faults.missedRuns = rate;
    else if (isJobFault(name)) faults[name] = rate;
    else if (operationId === undefined) faults[name] = rate;
    else {
      const others = faults[name];
      faults[name] = { ...(typeof others === 'object' ? others : {}), [operationId]: rate };
    }
  }
}

function isJobFault(name: string): name is (typeof JOB_FAULTS)[number] {
  return JOB_FAULTS.some((fault) => fault === name);
}
