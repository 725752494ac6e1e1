import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  coolingEnd,
  COMMANDS,
  decision,
  nightfall,
  resumption,
  standingRelease,
  step,
  submissions,
  type Command,
} from './commands.ts';
import { isClosed, type DecisionName, type Model } from './model.ts';
import { beginRun, closeWorld, countWork, openWorld, type World } from './world.ts';

/**
 * Random sequences of what people and workers may do, on the real service and Postgres. After each command all that must
 * always hold is judged (invariants.ts), and the answer is compared with a plain model (model.ts). At the end every request
 * is brought to its close, so none is left where nothing can.
 *
 * `npm run soak:model` runs thousands; LETHE_MODEL_RUNS and LETHE_MODEL_SEED choose how many, and which. A failure names the
 * seed and the shortest sequence that was found.
 */
const RUNS = Number(process.env['LETHE_MODEL_RUNS'] ?? 15);
/** Always the same sequences, unless another seed is asked for, or `random`: what fails here fails again. */
const SEED = seedOf(process.env['LETHE_MODEL_SEED'] ?? '20261125');
/** A world is given up after so many: what earlier runs have left in it makes it slow. */
const RUNS_IN_A_WORLD = 250;
const MOST_COMMANDS = 60;
const MOST_ROUNDS = 40;

/** So many worlds live side by side: each waits for Postgres for more than half of its time. */
const LANES = 2;

const worlds = Array.from({ length: Math.ceil(RUNS / RUNS_IN_A_WORLD) }, (_, index) => ({
  seed: (SEED + index) | 0,
  runs: Math.min(RUNS_IN_A_WORLD, RUNS - index * RUNS_IN_A_WORLD),
}));

describe(`${RUNS} random lives of requests, seeds from ${SEED}`, () => {
  it(
    'keep to the rules, whatever people and workers do',
    async () => {
      const left = [...worlds];
      const lane = async () => {
        for (let next = left.shift(); next !== undefined; next = left.shift()) {
          // What is wrong in one world is said at once, once the other lanes have come to rest.
          await live(next).catch((error: unknown) => {
            left.length = 0;
            throw error;
          });
        }
      };
      const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
      expect(left).toEqual([]);
    },
    RUNS * 10_000,
  );
});

function seedOf(text: string): number {
  return text === 'random' ? Math.trunc(Math.random() * 2 ** 31) : Number(text);
}

/** Random lives in a world of their own. */
async function live({ seed, runs }: { seed: number; runs: number }): Promise<void> {
  const world = await openWorld();
  // Without its bias to what is short: little happens in a life of five commands.
  const sequences = fc.noBias(fc.commands(COMMANDS, { maxCommands: MOST_COMMANDS, size: 'max' }));
  const property = fc.asyncProperty(submissions, sequences, async (first, sequence) => {
    const { model } = await beginRun(world);
    await first.run(model, world);
    await fc.asyncModelRun(() => ({ model, real: world }), sequence);
    await bringToAnEnd(model, world);
  });
  try {
    const endOnFailure = process.env['LETHE_MODEL_QUICK'] === '1';
    await fc.assert(property, { seed, numRuns: runs, endOnFailure });
    expect(world.run.number).toBeGreaterThanOrEqual(runs);
  } finally {
    await closeWorld(world);
  }
}

/** Nothing is held any more, everybody agrees, and nothing fails: every request must come to its end, and packages expire. */
async function bringToAnEnd(model: Model, world: World): Promise<void> {
  const does = async (command: Command) => {
    if (command.check(model)) await command.run(model, world);
  };
  while (model.paused > 0) await does(resumption(0));
  for (const [on, hold] of model.holds.entries()) if (hold.stands) await does(standingRelease({ on, by: 0 }));
  for (let round = 0; !model.requests.every(isClosed) || (await countWork(world)) > 0; round += 1) {
    if (round === MOST_ROUNDS)
      throw new Error(`never ends: ${JSON.stringify(model.requests.map(({ seen }) => seen))}`);
    for (const command of helping(model, round)) await does(command);
    const count = await countWork(world);
    for (let work = 0; work < count; work += 1) await does(step({ work, fault: 'none' }));
    if (count > 0) await does(nightfall(false));
  }
}

/** What people have to do now; each time somebody else than the submitter. */
function helping({ requests }: Model, round: number): readonly Command[] {
  return requests.flatMap(({ seen, submitter }, on) => {
    const name = HELPFUL.get(seen.state);
    if (name !== undefined) return [decision({ name, on, by: (submitter + 1 + (round % 2)) % 3 })];
    return seen.state === 'cooling_off' ? [coolingEnd(on)] : [];
  });
}

const HELPFUL: ReadonlyMap<string, DecisionName> = new Map([
  ['awaiting_identity', 'verify-identity'],
  ['awaiting_approval', 'approve'],
  ['on_hold', 'release'],
  ['needs_attention', 'close'],
]);
