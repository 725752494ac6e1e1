import { judgeReadings, readDelivery, type Reading, type Verdict } from '../src/app/judge-delivery.ts';
import type { WorkLease } from '../src/app/ports.ts';
import type { HeldDelivery } from '../src/app/ports/intake.ts';
import { dropDeliveries, takeDelivery, takeTickets } from '../src/app/take-delivery.ts';
import { guarded, type WorkerContext } from './context.ts';

/** Replay keys that are taken away now and then: more than deliveries bring meanwhile. */
const FORGOTTEN_AT_A_TIME = 10_000;
const FORGET_SHARE = 0.05;

/**
 * Judges what ticketing systems delivered. What is no request, and new requests, are written for all together; whatever else,
 * and whatever fails together, each for itself.
 */
export async function judge(context: WorkerContext, leases: readonly WorkLease[]): Promise<void> {
  const { deps, held } = context;
  const deliveries = await deps.store.takeDeliveries(leases, deps.leaseMs);
  await held.during(
    deliveries.map(({ work }) => work),
    () => judgeTaken(context, deliveries),
  );
}

async function judgeTaken(context: WorkerContext, deliveries: readonly HeldDelivery[]): Promise<void> {
  const { deps } = context;
  const verdicts = await verdictsOn(context, deliveries);
  const dropped = verdicts.flatMap((one) => (one.kind === 'not_matching' ? [one.delivery] : []));
  if (dropped.length > 0) await guarded(context, worksOf(dropped), () => dropDeliveries(deps, dropped));
  const requests = verdicts.flatMap((one) => (one.kind === 'request' ? [one] : []));
  // A failure of one would be a failure of all; what each fails of by itself is noted below.
  const left = await takeTickets(deps, requests).catch(() => requests);
  const others = verdicts.filter(({ kind }) => kind !== 'not_matching' && kind !== 'request');
  for (const verdict of [...left, ...others])
    await guarded(context, [verdict.delivery.work], () => takeDelivery(deps, verdict));
  if (deps.random() < FORGET_SHARE) await deps.store.forgetReplayKeys(FORGOTTEN_AT_A_TIME);
}

/** Of those that can be read at all. */
async function verdictsOn(
  context: WorkerContext,
  deliveries: readonly HeldDelivery[],
): Promise<readonly Verdict[]> {
  const readings: Reading[] = [];
  for (const delivery of deliveries) {
    await guarded(context, [delivery.work], () => {
      readings.push(readDelivery(context.deps, delivery));
      return Promise.resolve();
    });
  }
  let verdicts: readonly Verdict[] = [];
  const works = worksOf(readings.map(({ verdict }) => verdict.delivery));
  await guarded(context, works, async () => {
    verdicts = await judgeReadings(context.deps, readings);
  });
  return verdicts;
}

function worksOf(deliveries: readonly HeldDelivery[]): readonly HeldDelivery['work'][] {
  return deliveries.map(({ work }) => work);
}
