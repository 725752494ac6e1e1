import { daysLeft, type Explanation } from '../domain/deadlines.ts';
import { UNROUTABLE_EXPLANATIONS } from '../domain/identifiers.ts';
import type { ErasureRequest } from '../domain/request.ts';
import { isTerminalRequestState } from '../domain/states.ts';
import { currentRound, needsStorageCheck, type Task } from '../domain/task.ts';
import type { WaitReason } from '../domain/work.ts';
import { forecastOf, forecastView, type ForecastDeps } from './forecast-of.ts';
import type { Deps, ObservedRounds, RequestWithTasks, Waiting } from './ports.ts';
import type { TicketOfRequest } from './ports/intake.ts';
import type { AccessPackage } from './ports/packages.ts';
import type { ActsNext, ClockView, RequestView, TaskView, WaitingView } from './request-schema.ts';

export type ViewDeps = ForecastDeps & Pick<Deps, 'today'>;

/** The view of a request with its tasks and what waits for them. */
export function viewOf(deps: ViewDeps, from: RequestWithTasks, observed: ObservedRounds): RequestView {
  const { request } = from;
  const tasks = from.tasks.map((task) => taskView(task, taskWaiting(request, task, from.waiting)));
  const waiting = waitingOf(from);
  return {
    id: request.id,
    type: request.type,
    state: request.state,
    attention: request.attention,
    outcome: request.outcome,
    hold: request.heldFrom && request.heldBy && { by: request.heldBy, from: request.heldFrom },
    regulation: request.regulation,
    channel: request.channel,
    connection: request.connection,
    projectKeys: request.projectKeys && [...request.projectKeys],
    reference: request.reference,
    subject: {
      ref: request.subjectRef.value,
      kind: request.subjectRef.kind,
      keyVersion: request.subjectRef.keyVersion,
      state: request.subjectDestroyedAt === null ? 'kept' : 'destroyed',
      destroyedAt: rfc3339(request.subjectDestroyedAt),
    },
    ...timesOf(request),
    identity: {
      required: request.identityRequired,
      verifiedAt: rfc3339(request.identityVerifiedAt),
    },
    approvals: { needed: request.approvalsNeeded, given: request.approvals },
    expectedTasks: request.expectedTasks,
    clock: clockView(deps, request),
    accessPackage: packageView(from.accessPackage),
    related: [...from.related],
    ticket: ticketView(from.ticket),
    replies: from.replies,
    waiting,
    forecast: forecastView(forecastOf(deps, { from, waiting, observed })),
    tasks,
  };
}

function ticketView(ticket: TicketOfRequest | null): RequestView['ticket'] {
  if (ticket === null) return null;
  const { source, reference, changedAt, changed } = ticket;
  return { source, reference, changedAt: rfc3339(changedAt), changed: [...changed] };
}

function packageView(kept: AccessPackage | null): RequestView['accessPackage'] {
  if (kept === null) return null;
  const { state, bytes, gaps } = kept;
  return {
    state,
    readyAt: rfc3339(kept.readyAt),
    expiresAt: rfc3339(kept.expiresAt),
    downloadedAt: rfc3339(kept.downloadedAt),
    bytes,
    gaps,
  };
}

function timesOf(request: ErasureRequest) {
  return {
    receivedAt: request.receivedAt.toISOString(),
    createdAt: request.createdAt.toISOString(),
    updatedAt: request.updatedAt.toISOString(),
    completedAt: rfc3339(request.completedAt),
    cancelRequestedAt: rfc3339(request.cancelRequestedAt),
    coolingOffUntil: rfc3339(request.coolingOffUntil),
  };
}

function rfc3339(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}

/** The statutory clock: days end at midnight in its time zone. A closed request has no days left to count. */
function clockView({ today }: Pick<Deps, 'today'>, request: ErasureRequest): ClockView | null {
  const { clock, extendedAt } = request;
  if (clock === null) return null;
  const dueOn = extendedAt === null ? clock.dueOn : clock.extendedDueOn;
  const left = isTerminalRequestState(request.state) ? null : daysLeft(dueOn, today(request.regulation));
  const { due, extended, confirm } = clock.explanation;
  return {
    receivedOn: clock.receivedOn,
    dueOn,
    daysLeft: left,
    extendedAt: extendedAt?.toISOString() ?? null,
    extendBy: clock.extendBy,
    extendedDueOn: clock.extendedDueOn,
    confirmBy: clock.confirmBy,
    explanation: { due: shown(due), extended: shown(extended), confirm: confirm && shown(confirm) },
  };
}

function shown({ passed, ...rest }: Explanation): ClockView['explanation']['due'] {
  return { ...rest, passed: passed.map((off) => ({ ...off })) };
}

function taskView(task: Task, waiting: WaitingView | null): TaskView {
  const reason = task.unroutableReason;
  return {
    id: task.id,
    connection: task.connection,
    projectKey: task.projectKey,
    state: task.state,
    unroutable: reason === null ? null : { reason, explanation: UNROUTABLE_EXPLANATIONS[reason] },
    attention: task.attention,
    reported: currentRound(task)?.reported ?? null,
    rounds: task.rounds.map(({ doubts: _doubts, ...round }) => round),
    verification: task.verification,
    storageCheckNeeded: needsStorageCheck(task.rounds),
    waiting,
  };
}

/** What was accepted when a person closed the request keeps its attention, but waits for nobody. */
function taskWaiting(request: ErasureRequest, task: Task, waiting: readonly Waiting[]): WaitingView | null {
  if (isTerminalRequestState(request.state)) return null;
  if (task.attention !== null) return forPerson(task.attention, TASK_ATTENTIONS[task.attention]);
  const ours = waiting.find(({ taskId }) => taskId === task.id);
  return ours === undefined ? null : forTime(ours);
}

/** What a request waits for: a person comes first; else what is looked at soonest. */
export function waitingOf({ request, tasks, waiting }: RequestWithTasks): WaitingView | null {
  if (isTerminalRequestState(request.state)) return null;
  if (isWaitingState(request.state)) return forPerson(request.state, WAITING_STATES[request.state]);
  if (request.attention !== null && request.attention !== 'tasks_need_attention') {
    return forPerson(request.attention, REQUEST_ATTENTIONS[request.attention]);
  }
  const person = tasks.find((task) => task.attention !== null)?.attention;
  if (person) return forPerson(person, TASK_ATTENTIONS[person]);
  // A package that waits to expire is nothing that its request waits for.
  const [soonest] = waiting
    .filter(({ kind }) => kind !== 'expire_package')
    .toSorted((one, other) => one.runAt.getTime() - other.runAt.getTime());
  return soonest === undefined ? null : forTime(soonest);
}

function forPerson(reason: WaitingView['reason'], explanation: string): WaitingView {
  return { reason, actsNext: 'privacy_team', explanation, until: null };
}

function forTime(waiting: Waiting): WaitingView {
  const { actsNext, explanation } = WAITS[waiting.reason];
  const until = waiting.reason === 'connection_paused' ? null : waiting.runAt.toISOString();
  return { reason: waiting.reason, actsNext, explanation, until };
}

export const REQUEST_ATTENTIONS: Readonly<Record<Exclude<ErasureRequest['attention'], null>, string>> = {
  tasks_need_attention: 'At least one task needs a person.',
  unroutable: 'The user id can never be sent to OpenReplay safely; a person has to find the right id.',
  project_unknown: 'OpenReplay does not know one of the projects named; a person has to correct the request.',
  too_many_matches:
    'More users have this e-mail address than may be erased without a person; look at what was found.',
  unexpected_matches:
    'Something else was found than the submitter expected; try again with the number that is right, or close it.',
  package_incomplete:
    'Something could not be read for the access package; have it gathered again, or accept it as it is.',
  no_projects: 'The connection has no project to erase in; a person has to check its configuration.',
};

const WAITING_STATES = {
  awaiting_identity: 'Somebody has to establish who asks.',
  awaiting_approval: 'Somebody else than the submitter has to approve it.',
  on_hold: 'A legal hold keeps the data; nothing is erased until it is released.',
} as const;

function isWaitingState(state: string): state is keyof typeof WAITING_STATES {
  return Object.hasOwn(WAITING_STATES, state);
}

const TASK_ATTENTIONS: Readonly<Record<Exclude<Task['attention'], null>, string>> = {
  unroutable: 'The user id can never be sent to OpenReplay safely; a person has to find the right id.',
  residue_sessions: 'OpenReplay reported the job as done, but sessions are left and grow no fewer.',
  residue_user: 'The sessions are gone, but OpenReplay still knows the user.',
  residue_live: 'The subject still has a live session, so data is still being written.',
  too_many_rounds: 'Sessions grow fewer, but not to none within the configured number of rounds.',
  jobs_keep_failing: "OpenReplay's deletion jobs failed repeatedly; somebody has to look at the server.",
  jobs_keep_being_cancelled: 'Somebody else cancels our deletion jobs at OpenReplay.',
  jobs_keep_stalling:
    'OpenReplay schedules our deletion jobs but never runs them; look at its job runner, then retry.',
  openreplay_keeps_failing:
    'OpenReplay has failed at this for so long that the deadline comes near; an operator has to look, then retry.',
  submission_rejected: 'OpenReplay refused to delete this user.',
  unsendable: 'The request names something that can never be sent to OpenReplay safely.',
};

const WAITS: Readonly<Record<WaitReason, { actsNext: ActsNext; explanation: string }>> = {
  queued: { actsNext: 'lethe', explanation: 'It is queued and done as soon as a worker is free.' },
  cooling_off: {
    actsNext: 'lethe',
    explanation: 'It is approved and cools off, so that a mistake can still be called back.',
  },
  package_kept: { actsNext: 'privacy_team', explanation: 'The access package is kept until then.' },
  subject_live: {
    actsNext: 'lethe',
    explanation: 'The subject is live just now, and what is written after the deletion would stay.',
  },
  job_scheduled: {
    actsNext: 'openreplay',
    explanation: 'OpenReplay has scheduled the deletion; its jobs run at night.',
  },
  job_running: { actsNext: 'openreplay', explanation: 'OpenReplay is running the deletion.' },
  job_unknown: {
    actsNext: 'lethe',
    explanation: 'OpenReplay did not know the job just now; it is looked at again.',
  },
  job_cancelled_by_somebody: {
    actsNext: 'lethe',
    explanation:
      'The job was cancelled at OpenReplay, not by Lethe; it is looked at again before it is asked anew.',
  },
  settling: {
    actsNext: 'lethe',
    explanation: 'Something is still seen after the job; it gets some time to disappear.',
  },
  sentinel: { actsNext: 'lethe', explanation: 'It is erased, and looked at again later.' },
  retention: { actsNext: 'lethe', explanation: 'Its identifiers are destroyed when their time is over.' },
  conflict_without_job: {
    actsNext: 'lethe',
    explanation:
      'OpenReplay says that a deletion of this user is under way but does not list it; it is looked for again.',
  },
  job_stalled: {
    actsNext: 'lethe',
    explanation: 'OpenReplay never ran the job; it is called back and asked for anew.',
  },
  connection_paused: {
    actsNext: 'operator',
    explanation: 'An operator has paused all calls to this OpenReplay.',
  },
  key_refused: {
    actsNext: 'operator',
    explanation: 'OpenReplay refuses our API key; tried again meanwhile.',
  },
  rate_limited: {
    actsNext: 'lethe',
    explanation: 'OpenReplay asked for fewer calls; Lethe waits as long as it asked.',
  },
  rejected: { actsNext: 'operator', explanation: 'OpenReplay refused the call; tried again meanwhile.' },
  redirected: {
    actsNext: 'operator',
    explanation: 'The configured address of OpenReplay redirects; redirects are never followed.',
  },
  server_error: { actsNext: 'lethe', explanation: 'OpenReplay answered with an error; tried again.' },
  unreadable: {
    actsNext: 'lethe',
    explanation: 'OpenReplay gave an answer that makes no sense; tried again.',
  },
  unreachable: { actsNext: 'lethe', explanation: 'OpenReplay cannot be reached; tried again.' },
  no_answer: {
    actsNext: 'lethe',
    explanation: 'OpenReplay did not answer; what it did is found out before anything is asked anew.',
  },
  internal_error: {
    actsNext: 'operator',
    explanation: 'A step failed inside Lethe; the log says why. It is tried again meanwhile.',
  },
};
