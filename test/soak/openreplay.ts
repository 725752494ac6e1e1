import { seededRandom } from '../../src/sandbox/options.ts';
import { createSandbox, type Sandbox } from '../../src/sandbox/sandbox.ts';
import { z } from 'zod';
import { makePopulation, PROJECT, SESSIONS_OF_BYSTANDER, type Fate, type Population } from './people.ts';
import { type Command, command, type Report, type Seen, TOKEN } from './openreplay-messages.ts';

/**
 * OpenReplay in a process of its own: the sandbox, as a real server behaves, with everything going wrong that can. It
 * keeps a log of what it was asked about each subject and says on demand what is left. Started by the soak with seed
 * and number of people; ends when the soak does.
 */
const [seed, erasures] = z.tuple([z.coerce.number(), z.coerce.number()]).parse(process.argv.slice(2));
const population = makePopulation(seed, erasures);
const sandbox = createSandbox({
  ...{ personality: 'real', token: TOKEN, random: seededRandom(seed + 1) },
  // A night every two seconds; a job takes so few sessions that a heavy user needs several nights.
  ...{ dayMs: 2_000, sessionsPerJob: 15, analyticsLagMs: 200 },
});
const log = new Map<string, Seen[]>();

populate(sandbox, population);
goWrong(sandbox, population);
keepLog(sandbox);
process.send?.({ url: await sandbox.start() });
process.on('message', (message) => {
  answer(command.parse(message));
});
// Ctrl-C reaches this process, too; the soak still wants to know what is left.
process.on('SIGINT', () => undefined);
process.once('disconnect', () => void sandbox.stop());

function populate(world: Sandbox, { people, bystanders, bystandersByEmail }: Population): void {
  world.addProject(PROJECT);
  const add = (userId: string, sessions: number, email = '') => {
    world.addUser({ projectKey: PROJECT, userId, sessions, email });
  };
  for (const { userId, sessions, email } of people) if (sessions > 0) add(userId, sessions, email);
  for (const userId of bystanders) add(userId, SESSIONS_OF_BYSTANDER);
  for (const [userId, email] of bystandersByEmail) add(userId, SESSIONS_OF_BYSTANDER, email);
}

function goWrong({ faults }: Sandbox, { people }: Population): void {
  const allOf = (fate: Fate) =>
    new Set(people.filter((person) => person.fate === fate).map(({ userId }) => userId));
  Object.assign(faults, {
    ...{ errors500: 0.1, timeouts: 0.03, cutAfterDelete: 0.03, jobHiccup404: 0.02, retryAfterSeconds: 1 },
    timeoutsAfter: { deleteUser: 0.01 },
    ...{ failFirstJob: 0.05, deletedBeforeFailing: 1 },
    vanishJobs: { rate: 0.01, userIds: allOf('always_vanishes') },
    cancelledByOthers: { rate: 0.003, userIds: allOf('always_cancelled') },
    hangJobs: { userIds: allOf('always_hangs') },
  });
}

/** What a call about one user saw at the moment it was carried out, answered or not. */
function keepLog(world: Sandbox): void {
  world.onRequest = ({ operationId, phase, userId }) => {
    if (phase !== 'carried_out' || userId === undefined) return;
    const seen = {
      ...{ at: Date.now(), operationId },
      sessions: world.sessionCount(PROJECT, userId),
      isKnown: world.hasUser(PROJECT, userId),
    };
    const before = log.get(userId);
    if (before === undefined) log.set(userId, [seen]);
    else before.push(seen);
  };
}

function answer(asked: Command): void {
  if (asked.kind === 'report') process.send?.(report(asked.logsOf));
  else Object.assign(sandbox.faults, asked.faults);
}

function report(logsOf: readonly string[]): Report {
  return {
    left: sandbox.userIds(PROJECT).map((userId) => [userId, sandbox.sessionCount(PROJECT, userId)]),
    deletions: sandbox.deletionsAsked.map(({ userId, jobId, at }) => ({ userId, jobId, at })),
    jobs: sandbox.jobs(PROJECT).map(({ jobId, userId, status, createdAt, updatedAt }) => {
      return { jobId, userId, status, createdAt, updatedAt };
    }),
    maxActiveJobsPerUser: sandbox.maxActiveJobsPerUser,
    calls: { ...sandbox.calls },
    logs: logsOf.map((userId) => [userId, log.get(userId) ?? []]),
  };
}
