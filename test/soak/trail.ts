import { z } from 'zod';

/** An audit event as the API gives it and as its bytes say. */
export const trailEvent = z.object({
  request_id: z.string(),
  seq: z.number(),
  at: z.string(),
  type: z.string(),
  task_id: z.string().nullable(),
  change: z.object({ from: z.string().nullable(), to: z.string() }).nullable(),
  data: z.record(z.string(), z.unknown()),
});
export type TrailEvent = z.infer<typeof trailEvent>;

/** What is wrong with the order of a trail: gaps, and changes that do not begin where the one before ended. */
export function faultsOfOrder(events: readonly TrailEvent[]): readonly string[] {
  const faults: string[] = [];
  const states = new Map<string | null, string | null>();
  for (const [place, { seq, change, task_id: task, type }] of events.entries()) {
    if (seq !== place) faults.push(`event ${place} has the number ${seq}`);
    if (change === null) continue;
    const before = states.get(task) ?? null;
    const begins = change.from === before || (before === null && isBeginning(type, task));
    if (!begins) faults.push(`event ${seq} (${type}) goes on from ${change.from}, but it was ${before}`);
    states.set(task, change.to);
  }
  return faults;
}

/** Where it is told for the first time that a task is there. */
function isBeginning(type: string, task: string | null): boolean {
  return task !== null && type === 'task.created';
}

/** The state that a trail leaves its request in. */
export function endOf(events: readonly TrailEvent[]): string | undefined {
  return events.findLast(({ change, task_id: task }) => change !== null && task === null)?.change?.to;
}
