import fc from 'fast-check';
import type { Policy } from '../../src/domain/policy.ts';
import { REQUEST_TYPES, type RequestType } from '../../src/domain/request.ts';
import { OTHER_PROJECT, PROJECT } from '../support/stage.ts';
import {
  decided,
  DECISIONS,
  downloadVerdict,
  gate,
  isCaughtByStandingHold,
  isClosed,
  isUnderStandingHold,
  releasedTo,
  SUBJECTS,
  VERDICTS,
  type DecisionName,
  type IdKind,
  type Model,
  type ModelRequest,
} from './model.ts';
import {
  callAs,
  deliver,
  downloadAs,
  endCoolingOff,
  handOut,
  judge,
  night,
  requestIdIn,
  resume,
  subjectOf,
  visit,
  type Fault,
  type Stop,
  type World,
} from './world.ts';

/** What people and workers may do, in any order. Each command says what must come of it. */

export type Command = fc.AsyncCommand<Model, World>;

const MOST_REQUESTS = 3;
const MOST_PAUSED = 2;
const BODIES: Readonly<Record<DecisionName, unknown>> = {
  'verify-identity': { method: 'document' },
  approve: undefined,
  refuse: { ground: 'excessive', text: 'words' },
  hold: { reason: 'words' },
  release: { reason: 'words' },
  extend: { reason: 'words' },
  cancel: undefined,
  retry: undefined,
  accept: { acceptIncomplete: true },
  close: { reason: 'words' },
};

/** Decisions whose route has another name. */
const ROUTES: ReadonlyMap<DecisionName, string> = new Map([['accept', 'retry']]);

interface Parts {
  readonly check: (model: Model) => boolean;
  readonly run: (model: Model, world: World) => Promise<void>;
}

/** A command after which the world is judged. */
function command(name: string, { check, run }: Parts): Command {
  return judgedCommand(name, {
    check,
    run: async (model, world) => {
      await run(model, world);
      await judge(world);
    },
  });
}

/** A command that sees to the judging itself: it costs most of the time, so nothing is judged twice. */
function judgedCommand(name: string, parts: Parts): Command {
  return { ...parts, toString: () => name };
}

const thereIsOne = (model: Model): boolean => model.requests.length > 0;

function pick(model: Model, number: number): ModelRequest {
  const request = model.requests[number % model.requests.length];
  if (request === undefined) throw new Error('there is no request');
  return request;
}

function mustBe(what: string, found: string, expected: readonly string[]): void {
  if (!expected.includes(found)) throw new Error(`${what}: ${found}, not ${expected.join(' or ')}`);
}

/** Judges the world, and that each request stands where the model says. */
async function mustStand(
  world: World,
  what: string,
  expected: ReadonlyMap<ModelRequest, readonly string[]>,
): Promise<void> {
  await judge(world);
  for (const [request, states] of expected) mustBe(`${request.id} after ${what}`, request.seen.state, states);
}

interface Submission {
  readonly type: RequestType;
  readonly subject: number;
  readonly kinds: readonly IdKind[];
  readonly everywhere: boolean;
  readonly by: number;
  readonly policy: Policy;
  /** Tasks that discovery is expected to make. */
  readonly expected: number | null;
}

function submission(of: Submission): Command {
  return judgedCommand(`submit(${JSON.stringify(of)})`, {
    check: ({ requests }) => requests.length < MOST_REQUESTS,
    run: async (model, world) => {
      world.policy = of.policy;
      const json = {
        type: of.type,
        subject: subjectOf(
          world.run,
          of.kinds.map((kind) => ({ kind, subject: of.subject })),
        ),
        ...(of.expected !== null && { expect: { tasks: of.expected } }),
        projectKeys: of.everywhere ? [PROJECT, OTHER_PROJECT] : [PROJECT],
      };
      const { answer, result } = await callAs(world, of.by, { target: 'POST /v1/erasure-requests', json });
      mustBe('submit', result, ['ok']);
      const request: ModelRequest = {
        ...{
          id: requestIdIn(answer),
          type: of.type,
          subject: of.subject,
          submitter: of.by,
          policy: of.policy,
        },
        ...{ knownBy: new Set(of.kinds), projects: of.everywhere ? 2 : 1, approvers: new Set() },
        ...{ decisions: [], verified: false, coolingOver: false, cancelAsked: false, extended: false },
        gapsAccepted: false,
        seen: { state: 'received', attention: null, heldFrom: null, heldBy: null, tasks: [], package: null },
      };
      model.requests.push(request);
      const held = of.type === 'erasure' && isUnderStandingHold(model, request);
      const expected = held ? 'on_hold' : gate(request);
      await mustStand(world, 'submit', new Map([[request, [expected]]]));
    },
  });
}

export function decision(of: { name: DecisionName; on: number; by: number }): Command {
  const { name, on, by } = of;
  return judgedCommand(`${name}(${on}, by ${by})`, {
    check: thereIsOne,
    run: async (model, world) => {
      const request = pick(model, on);
      const verdict = VERDICTS[name](model, request, by);
      const target = `POST /v1/erasure-requests/${request.id}/${ROUTES.get(name) ?? name}`;
      const { result } = await callAs(world, by, { target, json: BODIES[name] });
      mustBe(name, result, [verdict === 'again' ? 'ok' : verdict]);
      const states = verdict === 'ok' ? decided(model, request, { name, by }) : [request.seen.state];
      await mustStand(world, name, new Map([[request, states]]));
    },
  });
}

function reading(of: { on: number; by: number }): Command {
  return judgedCommand(`read subject(${of.on}, by ${of.by})`, {
    check: thereIsOne,
    run: async (model, world) => {
      const request = pick(model, of.on);
      const target = `GET /v1/erasure-requests/${request.id}/subject`;
      mustBe('subject', (await callAs(world, of.by, { target })).result, ['ok']);
      await mustStand(world, 'reading', new Map([[request, [request.seen.state]]]));
    },
  });
}

function downloading(of: { on: number; by: number }): Command {
  return judgedCommand(`download(${of.on}, by ${of.by})`, {
    check: thereIsOne,
    run: async (model, world) => {
      const request = pick(model, of.on);
      const expected = downloadVerdict(request);
      mustBe('download', await downloadAs(world, of.by, request.id), [expected]);
      await mustStand(world, 'a download', new Map([[request, [request.seen.state]]]));
      if (expected === 'ok') mustBe('the package', downloadVerdict(request), ['PACKAGE_GONE']);
    },
  });
}

function standingHold(of: { subject: number; kind: IdKind; by: number }): Command {
  return judgedCommand(`hold subject(${of.subject}, ${of.kind}, by ${of.by})`, {
    check: thereIsOne,
    run: async (model, world) => {
      const on = { subject: of.subject, kind: of.kind };
      const json = { subject: subjectOf(world.run, [on]), reason: 'words' };
      const { answer, result } = await callAs(world, of.by, { target: 'POST /v1/holds', json });
      mustBe('hold', result, ['ok']);
      model.holds.push({ id: requestIdIn(answer), on, stands: true });
      const caught = model.requests.filter(
        (request) =>
          isCaughtByStandingHold(request) && request.subject === on.subject && request.knownBy.has(on.kind),
      );
      await mustStand(world, 'a standing hold', new Map(caught.map((request) => [request, ['on_hold']])));
    },
  });
}

export function standingRelease(of: { on: number; by: number }): Command {
  return judgedCommand(`release subject(${of.on}, by ${of.by})`, {
    check: ({ holds }) => holds.length > 0,
    run: async (model, world) => {
      const hold = model.holds[of.on % model.holds.length];
      if (hold === undefined) throw new Error('there is no hold');
      const first = hold.stands;
      hold.stands = false;
      const target = `POST /v1/holds/${hold.id}/release`;
      const { result } = await callAs(world, of.by, { target, json: { reason: 'words' } });
      mustBe('release', result, ['ok']);
      const goesOn = (request: ModelRequest) =>
        first &&
        request.seen.heldBy === 'standing_hold' &&
        request.subject === hold.on.subject &&
        request.knownBy.has(hold.on.kind) &&
        !isUnderStandingHold(model, request);
      const expected = new Map(
        model.requests.map((request) => [
          request,
          goesOn(request) ? releasedTo(request) : [request.seen.state],
        ]),
      );
      await mustStand(world, 'the release of a standing hold', expected);
    },
  });
}

export function step(of: { work: number; fault: Fault; stop?: Stop }): Command {
  const { work, fault, stop } = of;
  const how = stop === undefined ? '' : `, ${stop.how} before call ${stop.before}`;
  return command(`step(${work}, ${fault}${how})`, {
    check: ({ requests, paused }) => requests.length > 0 && (stop?.how !== 'paused' || paused < MOST_PAUSED),
    run: async (_, world) => {
      const delivery = await handOut(world, work);
      if (delivery !== undefined) await deliver(world, delivery, { fault, stop });
    },
  });
}

/**
 * Somebody decides while a worker is in the middle of a step for that very request: what holds, cancels and refuses must
 * win over what is about to be sent.
 */
function meanwhile(of: { work: number; before: number; act: (on: number) => Command }): Command {
  const stopped = step({ work: of.work, fault: 'none', stop: { how: 'paused', before: of.before } });
  return judgedCommand(`${stopped.toString()}, meanwhile ${of.act(0).toString()}, then resume`, {
    check: (model) => stopped.check(model),
    run: async (model, world) => {
      const before = model.paused;
      await stopped.run(model, world);
      const on = model.requests.findIndex(({ id }) => id === world.run.deliveries.at(-1)?.requestId);
      const act = of.act(Math.max(0, on));
      if (act.check(model)) await act.run(model, world);
      if (model.paused > before) await resume(world, before);
      await judge(world);
    },
  });
}

/** What was handed out is delivered late, again, or after it went elsewhere. */
function delivery(number: number): Command {
  return command(`deliver again(${number})`, {
    check: thereIsOne,
    run: async (_, world) => {
      const { deliveries } = world.run;
      const one = deliveries[deliveries.length - 1 - (number % Math.max(1, deliveries.length))];
      if (one !== undefined) await deliver(world, one, { fault: 'none' });
    },
  });
}

function handingOut(work: number): Command {
  return command(`hand out(${work})`, {
    check: thereIsOne,
    run: async (_, world) => {
      await handOut(world, work);
    },
  });
}

export function resumption(number: number): Command {
  return command(`resume(${number})`, {
    check: ({ paused }) => paused > 0,
    run: (_, world) => resume(world, number),
  });
}

export function nightfall(fails: boolean): Command {
  return command(fails ? 'a night on which jobs fail' : 'a night', {
    check: thereIsOne,
    run: (_, world) => {
      night(world, fails);
      return Promise.resolve();
    },
  });
}

export function coolingEnd(on: number): Command {
  return command(`cooling off ends(${on})`, {
    check: (model) => thereIsOne(model) && !isClosed(pick(model, on)),
    run: async (model, world) => {
      const request = pick(model, on);
      if (await endCoolingOff(world, request.id)) request.coolingOver = true;
    },
  });
}

/** What people have to do for a request now: of all that can be decided, what takes it on. */
const HELPFUL: ReadonlyMap<string, DecisionName> = new Map([
  ['awaiting_identity', 'verify-identity'],
  ['awaiting_approval', 'approve'],
]);

function helping(of: { on: number; turn: number }): Command {
  const { on, turn } = of;
  return judgedCommand(`help(${on}, turn ${turn})`, {
    check: thereIsOne,
    run: async (model, world) => {
      const { seen, submitter } = pick(model, on);
      const name = HELPFUL.get(seen.state);
      const by = (submitter + 1 + turn) % 3;
      if (name !== undefined) await decision({ name, on, by }).run(model, world);
      else if (seen.state === 'cooling_off') await coolingEnd(on).run(model, world);
    },
  });
}

function visiting(subject: number): Command {
  return command(`visit(${subject})`, {
    check: thereIsOne,
    run: (_, world) => {
      visit(world, subject);
      return Promise.resolve();
    },
  });
}

const number = fc.nat(5);
const by = fc.nat(2);
const subject = fc.constantFrom(...SUBJECTS);
const kind = fc.constantFrom<IdKind>('userId', 'email');
const policy: fc.Arbitrary<Policy> = fc.record({
  identityRequired: fc.constantFrom(false, false, true),
  approvalsNeeded: fc.constantFrom(0, 0, 0, 1, 2),
  coolingOffMs: fc.constantFrom(0, 0, 0, 3_600_000),
});
const kinds = fc.constantFrom<readonly IdKind[]>(['userId'], ['userId'], ['email'], ['userId', 'email']);
const fault = fc.oneof(fc.constant('none' as const), number);
const stop = fc.record({
  how: fc.constantFrom('killed', 'paused', 'withheld'),
  before: fc.integer({ min: 1, max: 7 }),
});
const type = fc.oneof({ weight: 2, arbitrary: fc.constant('erasure') }, fc.constantFrom(...REQUEST_TYPES));
const expected = fc.constantFrom(null, null, null, null, null, 1, 2);
export const submissions = fc
  .record({ type, subject, kinds, everywhere: fc.boolean(), by, policy, expected })
  .map(submission);
const someDecision = fc
  .record({ name: fc.constantFrom(...DECISIONS, 'hold' as const, 'release' as const), on: number, by })
  .map(decision);
const forAttention = fc
  .record({ name: fc.constantFrom<DecisionName>('retry', 'retry', 'accept', 'close'), on: number, by })
  .map(decision);
const passing = fc
  .record({
    name: fc.constantFrom('verify-identity' as const, 'approve' as const, 'approve' as const),
    on: number,
    by,
  })
  .map(decision);
const steps = fc.record({ work: number, fault }).map(step);
const plainStep = number.map((work) => step({ work, fault: 'none' }));
const stopping = fc.constantFrom<DecisionName>('hold', 'hold', 'cancel', 'refuse');
const decidedMeanwhile = fc
  .record({ name: stopping, by })
  .map((of) => (on: number) => decision({ ...of, on }));
const heldMeanwhile = fc.record({ subject, kind, by }).map((of) => () => standingHold(of));
const meanwhiles = fc
  .record({
    work: number,
    before: fc.integer({ min: 2, max: 6 }),
    act: fc.oneof(decidedMeanwhile, heldMeanwhile),
  })
  .map(meanwhile);
const stopped = fc.record({ work: number, fault, stop }).map(step);

const helps = fc.record({ on: number, turn: fc.nat(1) }).map(helping);
const downloads = fc.record({ on: number, by }).map(downloading);
const nights = fc.boolean().map(nightfall);

/** As often as they stand here, so often are they drawn. */
export const COMMANDS: fc.Arbitrary<Command>[] = [
  ...[submissions, submissions, helps, helps, helps, helps, passing],
  ...[someDecision, someDecision, forAttention, forAttention, downloads],
  ...[plainStep, plainStep, plainStep, plainStep, plainStep, steps, steps, steps, stopped, stopped],
  ...[meanwhiles, meanwhiles, meanwhiles],
  ...[nights, nights, fc.constant(nightfall(false))],
  fc.record({ on: number, by }).map(reading),
  fc.record({ subject, kind, by }).map(standingHold),
  ...Array.from({ length: 2 }, () => fc.record({ on: number, by }).map(standingRelease)),
  number.map(delivery),
  number.map(handingOut),
  number.map(resumption),
  subject.map(visiting),
];
