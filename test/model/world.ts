import { z } from 'zod';
import type { Deps, HandedOut } from '../../src/app/ports.ts';
import type { Outcome } from '../../src/domain/openreplay.ts';
import { noFaults, type Faults } from '../../src/sandbox/faults.ts';
import { download } from '../support/access.ts';
import { openApi, PERSON, problemIn, viewIn, type Answer, type Api, type TestKey } from '../support/api.ts';
import { openStage, OTHER_PROJECT, PROJECT, type Stage } from '../support/stage.ts';
import { createChecker, type Checker } from './invariants.ts';
import { deletionForbidden, SUBJECTS, type IdKind, type Identifier, type Model } from './model.ts';
import { createStepRunner, KilledError, type Before, type StepRunner } from '../support/worker-steps.ts';

/** How each kind of step can go wrong at OpenReplay while it runs. */
const FAULTY: Readonly<Record<HandedOut['kind'], readonly Partial<Faults>[]>> = {
  discover: [{ errors500: 1 }, { unauthorized: 1 }],
  // The events of a session cannot be read: the package lacks something.
  gather: [{ jobHiccup404: { listSessionEvents: 1 } }, { errors500: 1 }],
  package: [],
  sentinel: [],
  destroy: [],
  judge: [],
  submit: [
    { cutAfterDelete: 1 },
    { errors500: 1 },
    { unauthorized: 1 },
    { vanishJobs: 1 },
    { cancelledByOthers: 1 },
  ],
  poll: [{ jobHiccup404: 1 }, { errors500: 1 }],
  verify: [{ errors500: 1 }, { unauthorized: 1 }],
  cancel: [{ completesAfterCancel: true }, { jobHiccup404: 1 }, { errors500: 1 }],
  expire_package: [],
};

/** None, or the one with that number of what can go wrong with the step. */
export type Fault = number | 'none';

/**
 * How a worker can fail: before which of a step's calls it is killed, or stands still until it is resumed, or the gate of
 * the connection shuts, so that no further call is made.
 */
export interface Stop {
  readonly how: 'killed' | 'paused' | 'withheld';
  /** From 1. */
  readonly before: number;
}

interface PausedStep {
  readonly requestId: string;
  readonly ended: Promise<void>;
  goOn(): void;
}

interface Delivery {
  readonly requestId: string;
  readonly work: HandedOut;
}

/** The real service on real parts; what a queue would deliver, the test delivers. */
export interface World {
  readonly stage: Stage;
  readonly api: Api;
  readonly keys: readonly TestKey[];
  readonly steps: StepRunner;
  /** What went wrong inside the service and was only logged. */
  readonly errors: string[];
  /** What must hold before the next request may be carried out. */
  policy: Model['requests'][number]['policy'];
  /** The run under way. */
  run: Run;
}

export interface Run {
  readonly number: number;
  readonly model: Model;
  readonly checker: Checker;
  readonly violations: string[];
  readonly paused: PausedStep[];
  readonly deliveries: Delivery[];
  /** The request whose step goes on just now. */
  acting: string | undefined;
}

const HOUR_MS = 3_600_000;
const PEOPLE = 3;
const NO_POLICY = { identityRequired: false, approvalsNeeded: 0, coolingOffMs: 0 } as const;

export async function openWorld(): Promise<World> {
  const stage = await openStage({
    backend: { name: 'postgres', redisUrl: undefined },
    withoutWorker: true,
    projects: [PROJECT, OTHER_PROJECT],
    // Jobs run when the test says that it is night.
    sandbox: { jobDelayMs: HOUR_MS, analyticsLagMs: 0, sessionsPerJob: 2 },
    // The gate keeps a time of its own, and nothing here may depend on how long it took: steps are stopped as it would.
    gate: false,
    // A subject's data takes some steps.
    access: { expiresAfterMs: HOUR_MS, callsPerStep: 4 },
    pace: {
      verification: { settleMs: 0, retryMs: 1, requireUserAbsent: true },
      // A person is needed soon.
      rounds: { max: 2, maxFailedJobs: 1 },
      // Longer than any life here lasts: whatever happens to a request, nobody touches its looks.
      sentinelAgesMs: [30 * 24 * HOUR_MS],
    },
  });
  const errors: string[] = [];
  const log: Deps['log'] = {
    ...{ debug: ignored, info: ignored, warn: ignored },
    error: (fields, message) => errors.push(said(fields, message)),
  };
  const deps = { ...stage.deps, leaseMs: HOUR_MS, log };
  const api = await openApi(stage, { parts: { policyFor: () => world.policy } });
  const keys = await Promise.all(Array.from({ length: PEOPLE }, () => api.addKey('admin')));
  const world: World = {
    ...{ stage, api, keys, errors, steps: createStepRunner(deps), policy: NO_POLICY },
    run: newRun(stage, keys, 0),
  };
  stage.sandbox.onRequest = ({ operationId, phase, userId, projectKey }) => {
    if (operationId === 'deleteUser' && phase === 'received')
      judgeDeletion(world.run, { userId, projectKey });
  };
  return world;
}

const ignored = (): void => undefined;

function said(fields: object, message: string): string {
  const error = 'err' in fields && fields.err instanceof Error ? (fields.err.stack ?? '') : '';
  return `${message} ${JSON.stringify(fields)} ${error}`;
}

function newRun(stage: Stage, keys: readonly TestKey[], number: number): Run {
  return {
    ...{ number, violations: [], paused: [], deliveries: [], acting: undefined },
    model: { requests: [], holds: [], paused: 0 },
    checker: createChecker(
      stage.database.pool,
      keys.map(({ id }) => id),
    ),
  };
}

/** Begins a run with people of its own; nothing is left to do of the one before. */
export async function beginRun(world: World): Promise<Run> {
  const { stage, run } = world;
  await endRun(world);
  world.run = newRun(stage, world.keys, run.number + 1);
  for (const subject of SUBJECTS) {
    const { userId, email } = identifiersOf(world.run, subject);
    stage.sandbox.addUser({ projectKey: PROJECT, userId, email, sessions: 3 });
    stage.sandbox.addUser({ projectKey: OTHER_PROJECT, userId, email, sessions: 1 });
  }
  return world.run;
}

/** Lets go of what a run that failed has left standing. */
async function endRun({ run, stage }: World): Promise<void> {
  for (const step of run.paused.splice(0)) {
    step.goOn();
    await step.ended.catch(() => undefined);
  }
  await stage.database.pool.query('DELETE FROM work');
}

export async function closeWorld(world: World): Promise<void> {
  await endRun(world);
  await world.steps.close();
  await world.api.close();
  await world.stage.close();
}

function identifiersOf({ number }: Run, subject: number): Readonly<Record<IdKind, string>> {
  return { userId: `${PERSON} ${number} ${subject}`, email: `r${number}.${subject}+${PERSON}` };
}

export function subjectOf(run: Run, ids: readonly Identifier[]): Partial<Record<IdKind, string>> {
  return Object.fromEntries(ids.map(({ subject, kind }) => [kind, identifiersOf(run, subject)[kind]]));
}

export function visit({ stage, run }: World, subject: number): void {
  stage.sandbox.addSession({ projectKey: PROJECT, userId: identifiersOf(run, subject).userId });
}

/** OpenReplay is told to delete somebody: may it be, at this moment? */
function judgeDeletion(run: Run, of: { userId: string | undefined; projectKey: string | undefined }): void {
  const request = run.model.requests.find(({ id }) => id === run.acting);
  if (request === undefined) {
    run.violations.push('somebody is deleted for no request');
    return;
  }
  const forbidden = deletionForbidden(run.model, request);
  if (forbidden !== undefined) run.violations.push(`somebody is deleted, though ${forbidden}`);
  const right = of.userId === identifiersOf(run, request.subject).userId;
  const inside = of.projectKey === PROJECT || request.projects === 2;
  if (!right || !inside) run.violations.push('somebody else is deleted, or elsewhere');
}

/** Calls the API as the person with that number. `ok` for every 2xx, else the problem's code. */
export async function callAs(
  world: World,
  by: number,
  call: { target: string; json?: unknown },
): Promise<{ answer: Answer; result: string }> {
  const answer = await world.api.call(call.target, {
    ...(call.json !== undefined && { json: call.json }),
    key: world.keys[by] ?? null,
    reveals: 'person',
  });
  return { answer, result: answer.status < 300 ? 'ok' : problemIn(answer).code };
}

/** Downloads the access package as the person with that number. `ok` when it came whole, else the problem's code. */
export async function downloadAs({ api, keys }: World, by: number, requestId: string): Promise<string> {
  const key = keys[by];
  if (key === undefined) throw new Error(`there is no person ${by}`);
  const { status, bytes } = await download(api.port, `/v1/erasure-requests/${requestId}/access-package`, {
    key,
  });
  if (status === 200) return 'ok';
  return problemIn({ status, headers: {}, body: bytes.toString('utf8') }).code;
}

export const requestIdIn = (answer: Answer): string => viewIn(answer).id;

const workRows = z.array(
  z.object({ id: z.string(), request_id: z.string(), kind: z.string(), state: z.string() }),
);

/** Work that somebody could be handed out: all there is, but for what cools off, and looks and destructions weeks away. Whoever holds it has lost it then. */
async function listWork({ stage, run }: World) {
  const cooling = run.model.requests.filter(({ coolingOver }) => !coolingOver).map(({ id }) => id);
  const { rows } = await stage.database.pool.query(
    `SELECT work.id, request_id, kind, state FROM work JOIN erasure_requests r ON r.id = request_id
     WHERE kind NOT IN ('sentinel', 'destroy') AND NOT (state = 'cooling_off' AND request_id = ANY ($1)) ORDER BY work.id`,
    [cooling],
  );
  return workRows.parse(rows);
}

/** How much work there is to be handed out. */
export async function countWork(world: World): Promise<number> {
  return (await listWork(world)).length;
}

/** Hands the work with that number out, as the dispatcher does when it is due or its lease has run out. */
export async function handOut(world: World, number: number): Promise<Delivery | undefined> {
  const { stage, run } = world;
  const rows = await listWork(world);
  const row = rows[number % Math.max(1, rows.length)];
  if (row === undefined) return undefined;
  await stage.database.pool.query(
    `UPDATE work SET run_at = now() + CASE WHEN id = $1 THEN interval '-1 second' ELSE interval '1 hour' END`,
    [row.id],
  );
  const handedOut: HandedOut[] = [];
  for (const connection of stage.deps.connections.keys()) {
    const limits = { connection, handOutMs: HOUR_MS, max: 1_000, maxPolls: 1_000 };
    handedOut.push(...(await stage.deps.store.claimDueWork(limits)));
  }
  const [work, ...more] = handedOut;
  if (work === undefined || more.length > 0) throw new Error(`${more.length} are handed out, not one`);
  const delivery = { requestId: row.request_id, work };
  run.deliveries.push(delivery);
  return delivery;
}

/** Carries out what was handed out; delivered before, or overtaken, it must come to nothing. */
export async function deliver(
  world: World,
  delivery: Delivery,
  how: { fault: Fault; stop?: Stop | undefined },
): Promise<void> {
  const { run } = world;
  let paused = (): void => undefined;
  let goOn = (): void => undefined;
  const isPaused = new Promise<'paused'>((resolve) => {
    paused = () => {
      resolve('paused');
    };
  });
  const resumed = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  run.acting = delivery.requestId;
  const ended = withFault(world, faultsOf(delivery.work, how.fault), () =>
    world.steps.run(delivery.work, stopping(how.stop, paused, resumed)),
  );
  const outcome = await Promise.race([ended.then(() => 'ended' as const), isPaused]);
  run.acting = undefined;
  if (outcome === 'paused') {
    run.paused.push({ requestId: delivery.requestId, ended, goOn });
    run.model.paused = run.paused.length;
  }
}

const WITHHELD: Outcome<never> = {
  ok: false,
  failure: { kind: 'withheld', reason: 'server_error', untilMs: 0 },
};

/**
 * The deletion is sent right after the last look. What is held in that instant is called back when its answer is written,
 * so no step is paused there, only killed.
 */
function stopping(stop: Stop | undefined, paused: () => void, resumed: Promise<void>): Before {
  let calls = 0;
  return async (call, to) => {
    calls += 1;
    if (stop === undefined || calls < stop.before) return undefined;
    if (stop.how === 'killed') throw new KilledError();
    if (stop.how === 'withheld') return to === 'server' ? WITHHELD : undefined;
    if (calls > stop.before || call === 'deleteUser') return undefined;
    paused();
    await resumed;
    return undefined;
  };
}

/** Lets a worker that stood still go on; what it held may be in other hands by now. */
export async function resume({ run }: World, number: number): Promise<void> {
  const [step] = run.paused.splice(number % Math.max(1, run.paused.length), 1);
  run.model.paused = run.paused.length;
  if (step === undefined) return;
  run.acting = step.requestId;
  step.goOn();
  await step.ended;
  run.acting = undefined;
}

function faultsOf({ kind }: HandedOut, fault: Fault): Partial<Faults> {
  const faults = FAULTY[kind];
  return fault === 'none' ? {} : (faults[fault % Math.max(1, faults.length)] ?? {});
}

async function withFault<T>(
  { stage: { sandbox } }: World,
  faults: Partial<Faults>,
  use: () => Promise<T>,
): Promise<T> {
  Object.assign(sandbox.faults, faults);
  try {
    return await use();
  } finally {
    Object.assign(sandbox.faults, noFaults());
  }
}

/** All jobs run, and fail where they are told to: a user's first one only. */
export function night({ stage: { sandbox } }: World, fails: boolean): void {
  if (fails) Object.assign(sandbox.faults, { failFirstJob: 1, deletedBeforeFailing: 1 });
  sandbox.runAllJobs();
  Object.assign(sandbox.faults, noFaults());
}

/** The cooling-off time of a request is over, if it has begun. */
export async function endCoolingOff({ stage }: World, requestId: string): Promise<boolean> {
  const { rowCount } = await stage.database.pool.query(
    `UPDATE erasure_requests SET cooling_off_until = now() - interval '1 second'
     WHERE id = $1 AND cooling_off_until IS NOT NULL`,
    [requestId],
  );
  return rowCount === 1;
}

/** Judges the world after a command, and lets the model see what became of each request. */
export async function judge(world: World): Promise<void> {
  const { run, stage, errors } = world;
  const { model, checker } = run;
  const seen = await checker.check(model.requests);
  for (const request of model.requests) {
    request.seen = seen.get(request.id) ?? request.seen;
    if (request.seen.tasks.length > 0) request.knownBy.add('userId');
  }
  for (const { requestId, projectKey } of checker.newlyErased()) {
    const subject = model.requests.find(({ id }) => id === requestId)?.subject ?? 0;
    const left = stage.sandbox.sessionCount(projectKey, identifiersOf(run, subject).userId);
    if (left > 0) run.violations.push(`${requestId}: a task is erased with ${left} sessions left`);
  }
  const wrong = [...run.violations.splice(0), ...errors.splice(0)];
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
}
