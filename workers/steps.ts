import type { WorkLease } from '../src/app/ports.ts';
import type { WorkKind } from '../src/domain/work.ts';
import { cancel } from './cancel.ts';
import type { WorkerContext } from './context.ts';
import { destroy } from './destroy.ts';
import { discover } from './discover.ts';
import { judge } from './judge.ts';
import { expire, gather, packUp } from './gather.ts';
import { poll } from './poll.ts';
import { sentinel } from './sentinel.ts';
import { submit } from './submit.ts';
import { verify } from './verify.ts';

const STEPS = {
  discover,
  gather,
  package: packUp,
  submit,
  verify,
  cancel,
  expire_package: expire,
  sentinel,
  destroy,
} as const;

/** Takes work that was handed out, and does it. Only polls, of one project, and deliveries come several at a time. */
export async function takeStep(
  context: WorkerContext,
  kind: WorkKind,
  work: readonly WorkLease[],
): Promise<void> {
  if (kind === 'poll') {
    await poll(context, work);
    return;
  }
  if (kind === 'judge') {
    await judge(context, work);
    return;
  }
  for (const lease of work) await STEPS[kind](context, lease);
}
