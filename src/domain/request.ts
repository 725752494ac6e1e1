import type { Clock } from './deadlines.ts';
import { LETHE, type Actor, type EventDraft } from './events.ts';
import type { Regulation } from './regulation.ts';
import { isOpenTaskState, type RequestState } from './states.ts';
import type { Task } from './task.ts';

/** Where requests come in from outside; `webhook`: from a ticketing system. */
export const SOURCES = ['api', 'import', 'webhook'] as const;
/**
 * Where requests come from: `replay` opens again what a restored database does not know to be erased, `sentinel` what is
 * there again.
 */
export const CHANNELS = [...SOURCES, 'replay', 'sentinel'] as const;
export type Channel = (typeof CHANNELS)[number];

/** What a subject asks for: Art. 17, Art. 15 and 20, or to have a copy before it is erased. */
export const REQUEST_TYPES = ['erasure', 'access', 'access_and_erasure'] as const;
export type RequestType = (typeof REQUEST_TYPES)[number];

/** Why a person is needed for a request. */
export const REQUEST_ATTENTIONS = [
  'tasks_need_attention',
  'unroutable',
  'project_unknown',
  'no_projects',
  'too_many_matches',
  'unexpected_matches',
  'package_incomplete',
] as const;
export type RequestAttention = (typeof REQUEST_ATTENTIONS)[number];

/** How a completed request ended. */
export const OUTCOMES = ['erased', 'nothing_found', 'closed_by_decision', 'access_provided'] as const;
export type RequestOutcome = (typeof OUTCOMES)[number];

/** Whom a request is about: at least one is there. Personal data: it leaves the vault only for a call to OpenReplay. */
export interface Subject {
  readonly userId?: string;
  readonly email?: string;
}

export const HOLDERS = ['person', 'standing_hold'] as const;

export const SUBJECT_KINDS = ['user_id', 'email'] as const;

/** A pseudonym of the subject: the same identifier, the same bytes. Still personal data. */
export interface SubjectRef {
  readonly kind: (typeof SUBJECT_KINDS)[number];
  readonly keyVersion: number;
  /** Lower-case hex of an HMAC-SHA-256. */
  readonly value: string;
}

export interface ErasureRequest {
  readonly id: string;
  readonly type: RequestType;
  readonly state: RequestState;
  readonly attention: RequestAttention | null;
  readonly regulation: Regulation;
  readonly channel: Channel;
  /** Null for every configured connection: a subject that is searched for by e-mail address. */
  readonly connection: string | null;
  /** As asked; null stands for every project that the connection allows. */
  readonly projectKeys: readonly string[] | null;
  readonly reference: string | null;
  /** The user id's where there is one, else the e-mail address's. */
  readonly subjectRef: SubjectRef;
  /** Id of the API key. */
  readonly submittedBy: string;
  readonly receivedAt: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly completedAt: Date | null;
  /** When it was completed, refused or cancelled. */
  readonly closedAt: Date | null;
  /** When its identifiers were destroyed; it stays known by its pseudonyms. */
  readonly subjectDestroyedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  readonly outcome: RequestOutcome | null;
  /** While on hold: the state it came from and goes back to. */
  readonly heldFrom: RequestState | null;
  /** A person's hold needs a person's release; a standing hold's ends with it. */
  readonly heldBy: (typeof HOLDERS)[number] | null;
  readonly identityRequired: boolean;
  readonly identityVerifiedAt: Date | null;
  readonly approvalsNeeded: 0 | 1 | 2;
  readonly approvals: number;
  readonly coolingOffMs: number;
  readonly coolingOffUntil: Date | null;
  /** Tasks that the submitter expects discovery to make; a person decides when it finds otherwise. */
  readonly expectedTasks: number | null;
  /** As computed when it came in; null for requests of versions that computed none. */
  readonly clock: Clock | null;
  readonly extendedAt: Date | null;
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
 * as one task needs one; cancelled once a cancelling has come to rest. A request that is held, or gathers what it is asked
 * for, goes nowhere but to an end by cancelling, whatever its tasks have come to.
 *
 * @param tasks all tasks of the request, as they are after the step
 */
export function rollUp(request: ErasureRequest, tasks: readonly Task[]): RequestMove | undefined {
  const to = destination(tasks);
  if (to === undefined || to === request.state) return undefined;
  const waits = request.state === 'on_hold' || request.state === 'gathering';
  if (waits && to !== 'cancelled') return undefined;
  const attention = to === 'needs_attention' ? 'tasks_need_attention' : null;
  const data = { ...(attention && { reason: attention }), ...(to === 'completed' && { outcome: 'erased' }) };
  return { to, attention, event: requestMoved(request, to, { data }) };
}

/**
 * Whether a subject's data may be deleted for this request: never where access alone is asked for, and where both are,
 * only once the copy is ready.
 */
export function mayErase(request: Pick<ErasureRequest, 'type' | 'state' | 'attention'>): boolean {
  if (request.type === 'access') return false;
  return (
    request.state === 'erasing' ||
    (request.state === 'needs_attention' && request.attention !== 'package_incomplete')
  );
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

/** The event of a request's change of state; by Lethe itself unless an actor is named. */
export function requestMoved(
  request: Pick<ErasureRequest, 'state'>,
  to: Exclude<RequestState, 'received'>,
  by: { actor?: Actor; data?: NonNullable<EventDraft['data']> } = {},
): EventDraft {
  const { actor = LETHE, data = {} } = by;
  return { type: `request.${to}`, actor, change: { from: request.state, to }, data };
}
