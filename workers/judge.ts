import { judgeDelivery, type Verdict } from '../src/app/judge-delivery.ts';
import type { WorkLease } from '../src/app/ports.ts';
import type { HeldDelivery } from '../src/app/ports/intake.ts';
import { dropDeliveries, takeDelivery } from '../src/app/take-delivery.ts';
import { guarded, type WorkerContext } from './context.ts';

/** Judges what ticketing systems delivered; each fails for itself. What is no request is written at once for all. */
export async function judge(context: WorkerContext, leases: readonly WorkLease[]): Promise<void> {
  const { deps, held } = context;
  const deliveries = await deps.store.takeDeliveries(leases, deps.leaseMs);
  const works = deliveries.map(({ work }) => work);
  await held.during(works, async () => {
    const dropped: HeldDelivery[] = [];
    for (const delivery of deliveries) {
      await guarded(context, [delivery.work], async () => {
        const verdict: Verdict = await judgeDelivery(deps, delivery);
        if (verdict.kind === 'not_matching') dropped.push(delivery);
        else await takeDelivery(deps, verdict);
      });
    }
    if (dropped.length === 0) return;
    await guarded(
      context,
      dropped.map(({ work }) => work),
      () => dropDeliveries(deps, dropped),
    );
  });
}
