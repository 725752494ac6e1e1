import { certificateBody } from '../../src/evidence/certificate-body.ts';
import type { Certificate } from '../../src/evidence/certificate.ts';
import type { TrailEvent } from '../../src/evidence/sealed-trail.ts';

const NUMBER = 'er_0192f0c1a2b37c4d8e5f60718293a4b5';
const REF = '3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8559';
export const KEY = 'ak_0192f0c1a2b37c4d8e5f60718293a4b6';

interface Sample {
  readonly tasks?: number;
  readonly rounds?: number;
  readonly project?: string;
  readonly live?: string;
  /** Everything that may be there, is. */
  readonly full?: boolean;
}

type Draft = Pick<TrailEvent, 'type' | 'data'> & Partial<TrailEvent>;

/** A certificate as the certifier makes it, but for its proofs and signature, which the printer does not look at. */
export function sampleCertificate(sample: Sample = {}): Certificate {
  const { tasks = 1, full = false } = sample;
  const gates: Draft[] = [
    { type: 'request.identity_verified', data: { method: 'authenticated_account' } },
    { type: 'request.approved', data: {}, actor: `api_key:${KEY}` },
    { type: 'request.approved', data: {}, actor: 'local' },
    { type: 'request.extended', data: { extended_due_on: '2027-02-25' } },
  ];
  const drafts: Draft[] = [
    {
      type: 'request.received',
      data: {
        ...{ type: 'erasure', regulation: 'gdpr', channel: 'api', received_at: '2026-11-20T09:30:00.000Z' },
        ...{ due_on: '2026-12-21', subject_ref: REF, subject_kind: 'user_id', subject_key_version: 1 },
        identity_required: full,
      },
    },
    ...(full ? gates : []),
    ...Array.from({ length: tasks }, (_, at) => taskEvents(`tk_${at}`, sample)).flat(),
    { type: 'request.completed', data: { outcome: 'erased' } },
  ];
  const events = drafts.map((draft, seq) => ({
    ...{ requestId: NUMBER, seq, taskId: null, actor: 'lethe' },
    at: new Date(Date.UTC(2026, 10, 25, 2, 0, seq)).toISOString(),
    ...draft,
  }));
  return {
    certificate: certificateBody(events),
    issued: { at: '2026-11-25T15:22:07.000Z', product: 'Lethe 0.1.0' },
    events: events.map(({ seq: leaf }) => ({ leaf, proof: [], event: '{}' })),
    checkpoint: `lethe.example.com/log\n4711\n${Buffer.alloc(32, 'root').toString('base64')}\n\n— lethe.example.com/log signature\n`,
    signature: '',
  };
}

function taskEvents(
  taskId: string,
  { rounds = 1, full = false, project, live = 'unavailable' }: Sample,
): Draft[] {
  const of = (type: string, data: TrailEvent['data'] = {}): Draft => ({ type, taskId, data });
  return [
    of('task.created', {
      ...{ connection: 'default', project_key: project ?? 'shopKey0000000000000' },
      user_ref: full ? REF : null,
    }),
    ...Array.from({ length: rounds }, (_, at) => at + 1).flatMap((round) => [
      of('task.submission_intended', { round }),
      of('task.submitted', { round, job_id: String(4710 + round), adopted: full, sessions_before: 12 }),
      of('task.job_status_seen', { round, reported: 'completed' }),
    ]),
    of('task.verified', { user: 'absent', sessions: 'absent', sessions_found: 0, live }),
    of('task.erased', { storage_check_needed: full }),
  ];
}
