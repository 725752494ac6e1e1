import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { FindLeak } from './leaks.ts';
import type { PostgresServer } from './servers.ts';
import type { Life, Supervised } from './supervised.ts';

const line = z.object({ level: z.number(), msg: z.string().optional() });

/** Ends that nobody asked for, and what the logs call an error. */
export function faultsOfLives(
  processes: readonly Supervised[],
  away: readonly (readonly [number, number])[],
): readonly string[] {
  return processes.flatMap(({ name, lives }) =>
    lives.flatMap((life) => [
      ...faultsOfEnd(life, away).map((fault) => `${name} ${fault}`),
      ...errorsIn(life.output).map((error) => `${name} logged: ${error}`),
    ]),
  );
}

/** One that starts while Postgres is away says so and ends; its supervisor tries again. One that runs stays. */
function faultsOfEnd(life: Life, away: readonly (readonly [number, number])[]): readonly string[] {
  const { wasAsked, status, output } = life;
  const wasUp = /"msg":"the (API listens|worker runs)"/.test(output);
  const postgresWasAway = away.some(([from, to]) => from <= life.endedAt && to >= life.startedAt);
  if (wasAsked && (status === null || status === 0)) return [];
  if (!wasUp && postgresWasAway && status === 1) return [];
  return [`ended by itself with ${status}: ${output.slice(-1_500)}`];
}

const ERROR = 50;
/** The probe of OpenReplay, which fails as often as anything else; and starts without a database. */
const EXPECTED = ['OpenReplay cannot be used', 'could not start or stop'];

function errorsIn(output: string): readonly string[] {
  return output.split('\n').flatMap((text) => {
    if (!text.startsWith('{')) return text.trim() === '' ? [] : [text.slice(0, 500)];
    // A process that was killed in the middle of a line has not finished it.
    if (!text.endsWith('}')) return [];
    const { level, msg = '' } = line.parse(JSON.parse(text));
    return level >= ERROR && !EXPECTED.includes(msg) ? [text.slice(0, 1_500)] : [];
  });
}

/** One file for each process, with all its lives. */
export async function keepLogs(processes: readonly Supervised[], folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { name, lives } of processes) {
    const text = lives.map(({ output, status }) => `${output}--- ended with ${status}\n`).join('');
    await writeFile(path.join(folder, `${name.replaceAll(' ', '-')}.log`), text);
  }
}

/** Everything that was ever written to a log. */
export async function leaksInLogs(
  processes: readonly Supervised[],
  postgres: PostgresServer,
  leakIn: FindLeak,
): Promise<readonly string[]> {
  const texts = processes.flatMap(({ name, lives }) => lives.map(({ output }) => ({ name, output })));
  texts.push({ name: 'Postgres', output: await postgres.readLog() });
  return texts.flatMap(({ name, output }) => {
    const lines = output.split('\n').filter((text) => leakIn(text) !== undefined);
    return lines.length === 0 ? [] : [`${lines.length} lines of ${name}'s log hold an identifier`];
  });
}
