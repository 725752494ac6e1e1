import { unroutableReason } from '../domain/identifiers.ts';
import type { DataKey, Deps, NewTask } from './ports.ts';

/** A task for a user id in a project; one whose id must never be sent stands there for a person. */
export function newTask(
  deps: Pick<Deps, 'newId' | 'vault'>,
  dataKey: DataKey,
  of: { connection: string; projectKey: string | null; userId: string },
): NewTask {
  const box = deps.vault.boxOf(dataKey);
  const id = deps.newId('tk');
  const reason = unroutableReason(of.userId);
  return {
    id,
    requestId: dataKey.requestId,
    connection: of.connection,
    projectKey: of.projectKey,
    userRef: deps.vault.subjectRefs({ userId: of.userId })[0]?.value ?? null,
    userSealed: box.sealSubject(id, { userId: of.userId }),
    state: reason === undefined ? 'pending' : 'unroutable',
    unroutableReason: reason ?? null,
    attention: reason === undefined ? null : 'unroutable',
    rounds: [],
    verification: null,
    verifyingSince: null,
    liveSince: null,
  };
}
