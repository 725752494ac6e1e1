import { LETHE, type EventDraft } from './events.ts';
import { isOpenTaskState, type RequestState } from './states.ts';
import type { Task } from './task.ts';

export const REGULATIONS = ['gdpr', 'uk_gdpr', 'ccpa'] as const;
export type Regulation = (typeof REGULATIONS)[number];

export const CHANNELS = ['api'] as const;
export type Channel = (typeof CHANNELS)[number];

/** Why a person is needed for a request. */
export const REQUEST_ATTENTIONS = [
  'tasks_need_attention',
  'unroutable',
  'project_unknown',
  'no_projects',
] as const;
export type RequestAttention = (typeof REQUEST_ATTENTIONS)[number];

/** Whom a request is about. Personal data: it leaves the vault only for a call to OpenReplay. */
export interface Subject {
  readonly userId: string;
}

/** A pseudonym of the subject: the same person, the same bytes. Still personal data. */
export interface SubjectRef {
  readonly kind: 'user_id';
  readonly keyVersion: number;
  /** Lower-case hex of an HMAC-SHA-256. */
  readonly value: string;
}

export interface ErasureRequest {
  readonly id: string;
  readonly state: RequestState;
  readonly attention: RequestAttention | null;
  readonly regulation: Regulation;
  readonly channel: Channel;
  readonly connection: string;
  /** As asked; null stands for every project that the connection allows. */
  readonly projectKeys: readonly string[] | null;
  readonly reference: string | null;
  readonly subjectRef: SubjectRef;
  /** Id of the API key. */
  readonly submittedBy: string;
  readonly receivedAt: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly completedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  /** Events so far; the next one's `seq`. */
  readonly eventCount: number;
}

/** A change of a request, with the event that tells of it. */
export interface RequestMove {
  readonly to: RequestState;
  readonly attention: RequestAttention | null;
  readonly event: EventDraft;
}

/**
 * Where the tasks take their request, if anywhere: completed only when every task is erased; to a person as soon
 * as one task needs one; cancelled once a cancelling has come to rest.
 *
 * @param tasks all tasks of the request, as they are after the step
 */
export function rollUp(request: ErasureRequest, tasks: readonly Task[]): RequestMove | undefined {
  const to = destination(tasks);
  if (to === undefined || to === request.state) return undefined;
  const attention = to === 'needs_attention' ? 'tasks_need_attention' : null;
  return { to, attention, event: requestMoved(request, to, { ...(attention && { reason: attention }) }) };
}

type Destination = 'completed' | 'needs_attention' | 'cancelled';

function destination(tasks: readonly Task[]): Destination | undefined {
  if (tasks.length === 0) return undefined;
  if (tasks.every((task) => task.state === 'erased')) return 'completed';
  if (tasks.some((task) => task.attention !== null)) return 'needs_attention';
  if (tasks.some((task) => isOpenTaskState(task.state))) return undefined;
  // What is left is erased or cancelled.
  return 'cancelled';
}

/** The event of a request's change of state by Lethe itself. */
export function requestMoved(
  request: ErasureRequest,
  to: Destination | 'discovering' | 'erasing',
  data: EventDraft['data'] = {},
): EventDraft {
  return { type: `request.${to}`, actor: LETHE, change: { from: request.state, to }, data };
}
