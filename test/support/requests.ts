import type { ErasureRequest } from '../../src/domain/request.ts';
import { NOON } from './tasks.ts';

/** A request under way, received at noon. */
export function request(changes: Partial<ErasureRequest> = {}): ErasureRequest {
  return {
    id: 'er_1',
    type: 'erasure',
    state: 'erasing',
    attention: null,
    regulation: 'gdpr',
    channel: 'api',
    connection: 'default',
    projectKeys: null,
    reference: null,
    subjectRef: { kind: 'user_id', keyVersion: 1, value: '00' },
    submittedBy: 'ak_1',
    receivedAt: new Date(NOON),
    createdAt: new Date(NOON),
    updatedAt: new Date(NOON),
    completedAt: null,
    closedAt: null,
    subjectDestroyedAt: null,
    cancelRequestedAt: null,
    outcome: null,
    heldFrom: null,
    heldBy: null,
    identityRequired: false,
    identityVerifiedAt: null,
    approvalsNeeded: 0,
    approvals: 0,
    coolingOffMs: 0,
    coolingOffUntil: null,
    expectedTasks: null,
    clock: null,
    extendedAt: null,
    eventCount: 0,
    ...changes,
  };
}
