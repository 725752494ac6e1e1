import { unroutableReason } from '../domain/identifiers.ts';
import type { ErasureRequest } from '../domain/request.ts';
import type { Deps, NewTask } from './ports.ts';

/** A task for a user id in a project; one whose id must never be sent stands there for a person. */
export function newTask(
  deps: Pick<Deps, 'newId' | 'vault'>,
  request: Pick<ErasureRequest, 'id'>,
  of: { connection: string; projectKey: string | null; userId: string },
): NewTask {
  const id = deps.newId('tk');
  const reason = unroutableReason(of.userId);
  return {
    id,
    requestId: request.id,
    connection: of.connection,
    projectKey: of.projectKey,
    userRef: deps.vault.subjectRefs({ userId: of.userId })[0]?.value ?? null,
    userSealed: deps.vault.sealSubject(id, { userId: of.userId }),
    state: reason === undefined ? 'pending' : 'unroutable',
    unroutableReason: reason ?? null,
    attention: reason === undefined ? null : 'unroutable',
    rounds: [],
    verification: null,
    verifyingSince: null,
    liveSince: null,
  };
}
