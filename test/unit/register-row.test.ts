import { describe, expect, it } from '@jest/globals';
import { registerRowOf } from '../../src/app/register-row.ts';
import type { RegisterEntry, RegisterTask } from '../../src/app/ports/reports.ts';
import { request } from '../support/requests.ts';
import { round, task } from '../support/tasks.ts';

const rowOf = (changes: Partial<RegisterEntry>) =>
  registerRowOf({
    request: request(),
    subject: { ref: 'ab'.repeat(32), keyVersion: 1 },
    dueOn: '2026-04-01',
    extendedDueOn: '2026-06-01',
    identityMethod: null,
    refusalGround: null,
    approvers: [],
    holds: [],
    tasks: [],
    daysToComplete: null,
    leafIndex: null,
    checkpointSize: null,
    ...changes,
  });

const verification = (verifiedAt: string) =>
  ({
    user: 'absent',
    sessions: 'absent',
    sessionsFound: 0,
    live: 'absent',
    liveOffered: true,
    verifiedAt,
  }) as const;
const erased = (changes: Partial<RegisterTask>): RegisterTask =>
  task({ state: 'erased', verification: verification('2026-03-06T12:00:00.000Z'), ...changes });

describe('a row of the register', () => {
  it('rests on the articles of its type and law', () => {
    const article = (changes: Parameters<typeof request>[0]) => rowOf({ request: request(changes) }).article;
    expect(article({})).toEqual(['GDPR Art. 17(1)']);
    expect(article({ regulation: 'uk_gdpr', type: 'access' })).toEqual([
      'UK GDPR Art. 15',
      'UK GDPR Art. 20',
    ]);
    expect(article({ regulation: 'ccpa', type: 'access_and_erasure' })).toContain(
      'Cal. Civ. Code 1798.105(a)',
    );
  });

  it('names jobs by their server, and what was reported of each in the same order', () => {
    const row = rowOf({
      tasks: [
        erased({
          connection: 'eu',
          projectKey: 'p',
          rounds: [
            round({ jobId: '1', reported: 'failed', sessionsBefore: 5 }),
            round({ number: 2, jobId: '2', reported: 'completed', sessionsBefore: 3 }),
          ],
        }),
        erased({
          connection: 'us',
          projectKey: 'p',
          rounds: [round({ jobId: null, reported: 'no_such_user' })],
        }),
        task({ connection: 'us', projectKey: 'p', rounds: [round({ jobId: '1', reported: null })] }),
      ],
    });
    expect(row.projects).toEqual(['eu/p', 'us/p']);
    expect(row.job_ids).toEqual(['eu/1', 'eu/2', 'us/1']);
    expect(row.reported_status).toEqual(['failed', 'completed', 'not_reported', 'no_such_user']);
    expect(row.residuals).toEqual([
      'recordings_marked',
      'analytics_store',
      'backups',
      'storage_check_needed',
    ]);
  });

  it('is verified when its last task is, and not before all are', () => {
    const last = erased({ verification: verification('2026-03-07T12:00:00.000Z') });
    expect(rowOf({ tasks: [last, erased({})] }).verified_at).toBe('2026-03-07T12:00:00.000Z');
    const residue = task({
      state: 'residue',
      attention: 'residue_sessions',
      verification: last.verification,
    });
    expect(rowOf({ tasks: [last, residue] })).toMatchObject({
      verified_at: null,
      residuals: ['residue_sessions'],
    });
    expect(rowOf({ tasks: [] }).verified_at).toBeNull();
  });

  it('says of an extension until when, and that a reason is kept, but nothing of a notice', () => {
    expect(rowOf({})).toMatchObject({ due_at: '2026-04-01', extended_to: null, extension_reason: null });
    expect(rowOf({ request: request({ extendedAt: new Date() }) })).toMatchObject({
      due_at: '2026-04-01',
      extended_to: '2026-06-01',
      extension_reason: 'kept',
      extension_notified_at: null,
    });
  });
});
