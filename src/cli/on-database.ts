import type { z } from 'zod';
import type { Deps } from '../app/ports.ts';
import type { Core } from '../composition.ts';
import { loadConfig, type Config } from '../config.ts';
import { act, type Given, type Shell } from './command.ts';
import type { ExitStatus } from './exit-status.ts';

export type GivenDeps<T> = Given<T> & {
  readonly deps: Deps;
  readonly config: Config;
  readonly log: Core['log'];
};

/** As `act`, with the database opened as the service does, the embedded one included, and closed again. */
export function onDatabase<T>(
  shell: Shell,
  schema: z.ZodType<T>,
  work: (given: GivenDeps<T>) => Promise<ExitStatus>,
): ReturnType<typeof act> {
  return act(shell, schema, async (given) => {
    const { io } = given;
    const config = loadConfig(io.env, { cwd: io.cwd });
    // Loaded only here: the other commands need none of it, and it takes half a second.
    const [{ openCore }, { createLogger }] = await Promise.all([
      import('../composition.ts'),
      import('../log.ts'),
    ]);
    const logger = createLogger({ level: 'warn', name: 'lethe-cli', stream: io.stderr });
    const core = await openCore(config, { role: 'cli', logger });
    try {
      return await work({ ...given, deps: core.deps, config, log: core.log });
    } finally {
      await core.close();
    }
  });
}
