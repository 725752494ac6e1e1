import { LetheError } from '../domain/errors.ts';
import { maybeNumber, maybeText, textOf, type TrailEvent } from './sealed-trail.ts';

/** One run of OpenReplay's deletion for a user in a project. */
export interface CertifiedRound {
  readonly round: number;
  /** Null where OpenReplay knew no such user, so that no job was made. */
  readonly jobId: string | null;
  readonly submittedAt: string | null;
  /** A job of somebody else that was found running and followed. */
  readonly adopted: boolean;
  readonly sessionsBefore: number | null;
  /** What OpenReplay said in the end, and when that was seen. */
  readonly reported: string | null;
  readonly reportedAt: string | null;
}

export interface CertifiedTask {
  readonly id: string;
  readonly connection: string;
  readonly project: string;
  readonly userRef: string | null;
  readonly rounds: readonly CertifiedRound[];
  readonly verification: {
    readonly at: string;
    readonly user: string;
    readonly sessions: string;
    readonly sessionsFound: number | null;
    readonly live: string;
  };
  readonly erasedAt: string;
  /** A job had failed half way, so that recordings may be left that the API does not show. */
  readonly storageCheckNeeded: boolean;
}

/** What a certificate says of a request. All of it follows from the request's sealed events. */
export interface CertificateBody {
  readonly format: 'lethe-erasure-certificate/1';
  readonly number: string;
  readonly request: {
    readonly type: string;
    readonly regulation: string;
    readonly channel: string;
    readonly receivedAt: string;
    readonly dueOn: string | null;
    readonly extendedDueOn: string | null;
  };
  readonly subject: { readonly ref: string; readonly kind: string; readonly keyVersion: number };
  readonly identity: {
    readonly required: boolean;
    readonly method: string | null;
    readonly verifiedAt: string | null;
  };
  readonly approvals: readonly { readonly by: string; readonly at: string }[];
  readonly tasks: readonly CertifiedTask[];
  readonly completedAt: string;
  readonly statements: readonly string[];
  readonly residuals: readonly string[];
}

/** There can be no certificate of this request, or not yet; the text says why. */
export class CertificateRefusedError extends LetheError {
  override readonly name = 'CertificateRefusedError';
}

/** Each says who knows what, and from where. */
const STATEMENTS = [
  'OpenReplay reported of each job what is named under "reported"; Lethe repeats it and did not see the deletion itself.',
  'Verified by reading: after the last job, the user and the sessions of the whole time were asked for through OpenReplay\'s API, with the results under "verification". "unavailable" means that this server does not offer that reading; it is no finding.',
  'The subject is named by a pseudonym (HMAC-SHA-256 under a key of the controller). It remains personal data for whoever holds that key.',
] as const;

const RESIDUALS = [
  'Recordings: OpenReplay marks recording files for deletion; they leave its object storage when the rule for such files there runs.',
  "OpenReplay's analytics store is not cleaned by the deletion; what it keeps of events ends with that store's own retention.",
  'Backups of OpenReplay keep what they held until they expire.',
  'The deletion covers sessions that were recorded before the job ran.',
] as const;

const OF_STORAGE =
  'A job of this request failed half way before another succeeded: a person has to check the object storage for recordings of the subject.';

/**
 * What a certificate says, from a request's events up to the one that closed it. Nothing else goes in, so that everybody who has
 * the events can say the same.
 *
 * @throws CertificateRefusedError unless the request was carried out, and every erasure was verified
 */
export function certificateBody(events: readonly TrailEvent[]): CertificateBody {
  const received = one(events, 'request.received');
  assertErased(events);
  const extended = events.findLast(({ type }) => type === 'request.extended');
  const identity = events.findLast(({ type }) => type === 'request.identity_verified');
  const tasks = events
    .filter(({ type }) => type === 'task.created')
    .map((created) => taskOf(created, events));
  const { data } = received;
  return {
    format: 'lethe-erasure-certificate/1',
    number: received.requestId,
    request: {
      type: textOf(data, 'type'),
      regulation: textOf(data, 'regulation'),
      channel: textOf(data, 'channel'),
      receivedAt: textOf(data, 'received_at'),
      dueOn: maybeText(data, 'due_on'),
      extendedDueOn: extended === undefined ? null : maybeText(data, 'extended_due_on'),
    },
    subject: {
      ref: textOf(data, 'subject_ref'),
      kind: textOf(data, 'subject_kind'),
      keyVersion: maybeNumber(data, 'subject_key_version') ?? 1,
    },
    identity: {
      required: data['identity_required'] === true,
      method: identity === undefined ? null : maybeText(identity.data, 'method'),
      verifiedAt: identity?.at ?? null,
    },
    approvals: events
      .filter(({ type }) => type === 'request.approved')
      .map(({ actor: by, at }) => ({ by, at })),
    tasks,
    completedAt: one(events, 'request.completed').at,
    statements: STATEMENTS,
    residuals: tasks.some(({ storageCheckNeeded }) => storageCheckNeeded)
      ? [...RESIDUALS, OF_STORAGE]
      : RESIDUALS,
  };
}

function one(events: readonly TrailEvent[], type: string): TrailEvent {
  const found = events.find((event) => event.type === type);
  if (found === undefined) throw new TypeError(`the trail has no ${type}`);
  return found;
}

function assertErased(events: readonly TrailEvent[]): void {
  const last = events.at(-1);
  if (last === undefined || !/^request[.](completed|refused|cancelled)$/.test(last.type))
    throw new CertificateRefusedError('CERTIFICATE_NOT_READY', 'The request is not at its end.');
  const outcome = maybeText(last.data, 'outcome');
  if (last.type === 'request.completed' && outcome === 'erased') return;
  const how =
    last.type === 'request.completed'
      ? `completed as ${outcome ?? 'unknown'}`
      : last.type.slice('request.'.length);
  throw new CertificateRefusedError(
    'CERTIFICATE_REFUSED',
    `The request was ${how}: a certificate is only of an erasure that was carried out and verified.`,
  );
}

/** @throws CertificateRefusedError when it was not verified and erased */
function taskOf(created: TrailEvent, events: readonly TrailEvent[]): CertifiedTask {
  const own = events.filter(({ taskId }) => taskId === created.taskId);
  const verified = own.findLast(({ type }) => type === 'task.verified');
  const erased = own.findLast(({ type }) => type === 'task.erased');
  if (verified === undefined || erased === undefined || erased.seq < verified.seq)
    throw new CertificateRefusedError(
      'CERTIFICATE_REFUSED',
      `The task ${created.taskId ?? ''} is not verified to be erased.`,
    );
  return {
    id: created.taskId ?? '',
    connection: textOf(created.data, 'connection'),
    project: textOf(created.data, 'project_key'),
    userRef: maybeText(created.data, 'user_ref'),
    rounds: own
      .filter(({ type }) => type === 'task.submission_intended')
      .map((intent) => roundOf(intent, own)),
    verification: {
      at: verified.at,
      user: textOf(verified.data, 'user'),
      sessions: textOf(verified.data, 'sessions'),
      sessionsFound: maybeNumber(verified.data, 'sessions_found'),
      live: textOf(verified.data, 'live'),
    },
    erasedAt: erased.at,
    storageCheckNeeded: erased.data['storage_check_needed'] === true,
  };
}

function roundOf(intent: TrailEvent, own: readonly TrailEvent[]): CertifiedRound {
  const round = maybeNumber(intent.data, 'round') ?? 0;
  const ofRound = own.filter(({ data }) => data['round'] === round);
  const submitted = ofRound.findLast(({ type }) => type === 'task.submitted');
  const seen = ofRound.findLast(({ type }) => SAYS_HOW_IT_ENDED.has(type));
  const data = submitted?.data ?? {};
  return {
    round,
    jobId: maybeText(data, 'job_id'),
    submittedAt: submitted?.at ?? null,
    adopted: data['adopted'] === true,
    sessionsBefore: maybeNumber(data, 'sessions_before'),
    reported: seen === undefined ? null : (REPORTED[seen.type] ?? maybeText(seen.data, 'reported')),
    reportedAt: seen?.at ?? null,
  };
}

const REPORTED: Readonly<Record<string, string>> = {
  'task.no_such_user': 'no_such_user',
  'task.job_missing': 'job_vanished',
};
const SAYS_HOW_IT_ENDED: ReadonlySet<string> = new Set([...Object.keys(REPORTED), 'task.job_status_seen']);
