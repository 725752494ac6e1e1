import { SubjectGoneError } from '../domain/errors.ts';
import type { EventDraft } from '../domain/events.ts';
import type { Subject } from '../domain/request.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps } from './ports.ts';

/**
 * Whom a request is about, open or closed. That it was read, and by whom, is an event of the request: stored before the
 * identifier is handed out, or it is not handed out.
 *
 * @returns the subject, or undefined when there is no request with this id
 * @throws SubjectGoneError
 */
export async function showSubject(
  deps: Pick<Deps, 'store' | 'vault' | 'encodeEvent'>,
  query: { requestId: string; apiKeyId: string },
): Promise<Subject | undefined> {
  const { requestId, apiKeyId } = query;
  return deps.store.withRequest(requestId, async (tx, scope) => {
    if (scope === undefined) return undefined;
    const { request, subjectSealed } = scope;
    if (subjectSealed === null) throw new SubjectGoneError();
    const subject = deps.vault.boxOf(scope.dataKey).openSubject(requestId, subjectSealed);
    const read: EventDraft = {
      type: 'subject.read',
      actor: { kind: 'api_key', id: apiKeyId },
      data: { kind: request.subjectRef.kind },
    };
    await tx.write(requestId, { events: encodeEvents(deps, { request, now: tx.now }, [read]) });
    return subject;
  });
}
