/**
 * Audit events: what is written, in the transaction of the change it tells of. An event holds no identifier of a
 * data subject, no text of OpenReplay's, no free text: only ids of ours, names from these tables, counts and times.
 */
export const EVENT_TYPES = [
  'request.received',
  'request.awaiting_identity',
  'request.identity_verified',
  'request.awaiting_approval',
  'request.approved',
  'request.cooling_off',
  'request.discovering',
  'request.subject_searched',
  'request.gathering',
  'request.erasing',
  'request.needs_attention',
  'request.on_hold',
  'request.hold_confirmed',
  'request.extended',
  'request.cancel_requested',
  'request.completed',
  'request.refused',
  'request.cancelled',
  'request.ticket_changed',
  'request.step_delayed',
  'request.destruction_put_off',
  'request.subject_destroyed',
  'deadline.at_risk',
  'subject.read',
  'certificate.issued',
  'package.gathering',
  'package.ready',
  'package.download_begun',
  'package.downloaded',
  'package.expired',
  'package.withdrawn',
  'task.created',
  'task.gathered',
  'task.provided',
  'task.subject_live',
  'task.submission_intended',
  'task.submission_resumed',
  'task.submitted',
  'task.no_such_user',
  'task.job_status_seen',
  'task.job_missing',
  'task.job_overdue',
  'task.job_stalled',
  'task.job_cancel_asked',
  'task.round_needed',
  'task.verified',
  'task.erased',
  'task.sentinel_absent',
  'task.sentinel_reappeared',
  'task.sentinel_delayed',
  'task.sentinel_withdrawn',
  'task.residue',
  'task.failed',
  'task.withdrawn',
  'task.retried',
  'task.cancelled',
  'task.step_delayed',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Values that RFC 8785 writes the same everywhere: no floats, no nesting beyond these. */
export type EventValue =
  string | number | boolean | null | readonly EventValue[] | { readonly [key: string]: EventValue };
export type EventData = Readonly<Record<string, EventValue>>;

/** Who did it: Lethe itself, somebody on the machine it runs on (a command), or an API key by its id. */
export type Actor = { readonly kind: 'lethe' | 'local' } | { readonly kind: 'api_key'; readonly id: string };

export const LETHE: Actor = { kind: 'lethe' };

export interface EventDraft {
  readonly type: EventType;
  readonly actor: Actor;
  readonly taskId?: string;
  /** Present exactly when a state changed. */
  readonly change?: { readonly from: string | null; readonly to: string };
  readonly data?: EventData;
}

/** An event with its place in the request's trail. `seq` is contiguous from 0 for each request. */
export interface AuditEvent extends EventDraft {
  readonly requestId: string;
  readonly seq: number;
  /** Time of the database's transaction, RFC 3339 in UTC. */
  readonly at: string;
}

/**
 * What is done to API keys, standing holds, connections, callbacks and the master key, who looked for whom and who read a
 * report, has a trail of its own: it concerns no request.
 */
export const ADMIN_EVENT_TYPES = [
  'api_key.created',
  'api_key.revoked',
  'api_key.rotated',
  'hold.created',
  'hold.released',
  'subject.previewed',
  'subject.looked_up',
  'audit.read',
  'connection.paused',
  'connection.resumed',
  'master_key.rotated',
  'report.read',
  'callback.created',
  'callback.updated',
  'callback.deleted',
  'callback.secret_rotated',
  'callback.tested',
  'callback.redelivered',
  'callback.disabled',
  'callback.gone',
] as const;

export interface AdminEventDraft {
  readonly type: (typeof ADMIN_EVENT_TYPES)[number];
  readonly actor: Actor;
  /** The key or hold that it was done to. */
  readonly keyId?: string;
  readonly holdId?: string;
  /** Its name in the configuration. */
  readonly connection?: string;
  readonly callbackId?: string;
  readonly data?: EventData;
}

/** An event with its place in the one trail of its kind. `seq` is contiguous from 0. */
export interface AdminEvent extends AdminEventDraft {
  readonly seq: number;
  /** Time of the database's transaction, RFC 3339 in UTC. */
  readonly at: string;
}
