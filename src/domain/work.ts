import type { CallFailure } from './openreplay.ts';

/** What there can be left to do. One row of work for each thing; the row is the outbox and the schedule. */
export const WORK_KINDS = [
  'discover',
  'gather',
  'package',
  'submit',
  'poll',
  'verify',
  'cancel',
  'expire_package',
  'sentinel',
  'destroy',
  'judge',
] as const;
export type WorkKind = (typeof WORK_KINDS)[number];

/** Why the next thing is not done yet. */
export const WAIT_REASONS = [
  'queued',
  'cooling_off',
  'package_kept',
  'subject_live',
  'job_scheduled',
  'job_running',
  'job_unknown',
  'job_cancelled_by_somebody',
  'job_stalled',
  'settling',
  'sentinel',
  'retention',
  'conflict_without_job',
  'connection_paused',
  'key_refused',
  'rate_limited',
  'rejected',
  'redirected',
  'server_error',
  'unreadable',
  'unreachable',
  'no_answer',
  'internal_error',
] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

export interface NextWork {
  readonly kind: WorkKind;
  /** Epoch ms. */
  readonly at: number;
  readonly reason: WaitReason;
  /** Attempts at this step that failed in a row. */
  readonly attempts: number;
  /** Epoch ms: since when the step fails; left out when it does not. */
  readonly failingSince?: number;
}

/** The reason for waiting that a failed call gives. */
export function waitReasonOf(failure: CallFailure): WaitReason {
  switch (failure.kind) {
    case 'withheld':
      return failure.reason;
    case 'unauthorized':
      return 'key_refused';
    case 'rate_limited':
    case 'redirected':
    case 'server_error':
    case 'unreadable':
    case 'unreachable':
    case 'no_answer':
      return failure.kind;
    case 'conflict':
      return 'conflict_without_job';
    case 'not_found':
    case 'not_available':
    case 'rejected':
    case 'unsendable':
      return 'rejected';
    default:
      return failure satisfies never;
  }
}
