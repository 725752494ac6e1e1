import type { Subject } from '../domain/request.ts';
import type { LookupView } from './lookup-schema.ts';
import type { Deps } from './ports.ts';
import type { RequestOf } from './ports/life.ts';
import { recordAdminEvent } from './record-admin-event.ts';

const MOST_REQUESTS = 100;

/**
 * What was done for a person, by whichever identifier they are known: also when all identifiers were destroyed, since their
 * pseudonyms stay. Who looked for whom is an event, written before anything is said.
 */
export async function lookUpSubject(
  deps: Pick<Deps, 'store' | 'vault' | 'encodeEvent'>,
  query: { subject: Subject; apiKeyId: string },
): Promise<LookupView> {
  const refs = deps.vault.subjectRefs(query.subject);
  const found = await deps.store.transaction(async (tx) => {
    const requests = await tx.listRequestsOf(refs, MOST_REQUESTS);
    await recordAdminEvent(tx, deps, {
      type: 'subject.looked_up',
      actor: { kind: 'api_key', id: query.apiKeyId },
      data: {
        found: requests.length,
        subjects: refs.map((ref) => ({
          subject_ref: ref.value,
          subject_kind: ref.kind,
          subject_key_version: ref.keyVersion,
        })),
      },
    });
    return requests;
  });
  const erased = found
    .filter(({ outcome }) => outcome === 'erased')
    .flatMap(({ completedAt }) => completedAt ?? []);
  const latest = erased.toSorted((one, other) => other.getTime() - one.getTime())[0];
  return {
    subject: refs.map(({ value: ref, kind, keyVersion }) => ({ ref, kind, keyVersion })),
    erasedAt: latest?.toISOString() ?? null,
    requests: found.map(viewOf),
  };
}

function viewOf({ receivedAt, completedAt, ...request }: RequestOf): LookupView['requests'][number] {
  const isCertified = request.outcome === 'erased';
  return {
    ...request,
    receivedAt: receivedAt.toISOString(),
    completedAt: completedAt?.toISOString() ?? null,
    certificate: isCertified ? `/v1/erasure-requests/${request.id}/certificate` : null,
  };
}
