import type { Job, Report, Seen } from './openreplay-messages.ts';
import { ATTENTION_OF_FATE, type Person } from './people.ts';
import { endOf, faultsOfOrder, type TrailEvent } from './trail.ts';

/**
 * What should have happened, told a second time and simply: from what OpenReplay did for a subject, and from what
 * docs/architecture.md promises. It knows nothing of the states and steps of the code.
 */
export interface Case {
  readonly person: Person;
  /** The trail of each request for this person. */
  readonly trails: readonly (readonly TrailEvent[])[];
  readonly report: Report;
}

/** Times of both sides are of one clock; one of them is rounded. */
const ROUNDING_MS = 5;
/** Of the soak's OpenReplay. */
const SESSIONS_PER_JOB = 15;
const DELETED_BEFORE_FAILING = 1;

/** What the subject's side of OpenReplay looks like. */
interface Remote {
  readonly deletions: Report['deletions'];
  readonly jobs: readonly Job[];
  readonly log: readonly Seen[];
}

/** What is wrong with the trails of a person's requests; each names its request. */
export function faultsOfCase({ person, trails, report }: Case): readonly string[] {
  const remote: Remote = {
    deletions: report.deletions.filter(({ userId }) => userId === person.userId),
    jobs: report.jobs.filter(({ userId }) => userId === person.userId),
    log: new Map(report.logs).get(person.userId) ?? [],
  };
  const faults = trails.flatMap((events) => {
    const of = { person, events, remote, isOnly: trails.length === 1 };
    return [
      ...faultsOfOrder(events),
      ...faultsOfEnd(of),
      ...faultsOfRounds(of),
      ...faultsOfReports(of),
      ...faultsOfCounts(of),
      ...(endOf(events) === 'completed' ? faultsOfCompletion(of) : []),
    ].map((fault) => `${events[0]?.request_id}: ${fault}`);
  });
  const id = trails[0]?.[0]?.request_id;
  const together = [...faultsOfIntents(trails.flat(), remote), ...unknownJobs(trails.flat(), remote)];
  return [...faults, ...together.map((fault) => `${id}: ${fault}`)];
}

interface One {
  readonly person: Person;
  readonly events: readonly TrailEvent[];
  readonly remote: Remote;
  /** Whether nobody else's request concerns this person. */
  readonly isOnly: boolean;
}

const timeOf = ({ at }: TrailEvent) => Date.parse(at);
const ofType = (events: readonly TrailEvent[], ...types: string[]) =>
  events.filter(({ type }) => types.includes(type));
const jobIdOf = ({ data }: TrailEvent) => Number(data['job_id']);

/** Nothing is deleted that was not written down before as about to be: the third deletion follows three intents. */
function faultsOfIntents(events: readonly TrailEvent[], { deletions }: Remote): readonly string[] {
  const intents = ofType(events, 'task.submission_intended', 'task.submission_resumed')
    .map(timeOf)
    .toSorted((one, other) => one - other);
  return deletions.flatMap(({ at, jobId }, place) => {
    const intent = intents[place];
    return intent !== undefined && intent <= at + ROUNDING_MS ? [] : [`job ${jobId} had no intent before it`];
  });
}

/** A job that OpenReplay keeps must be known, however its answer was lost; one that vanished may never have been seen. */
function unknownJobs(events: readonly TrailEvent[], { jobs }: Remote): readonly string[] {
  const known = new Set(ofType(events, 'task.submitted').map(jobIdOf));
  return jobs.filter(({ jobId }) => !known.has(jobId)).map(({ jobId }) => `job ${jobId} is in no round`);
}

/** Each job is in one round of a request, and OpenReplay has given it for this very person. */
function faultsOfRounds({ events, remote }: One): readonly string[] {
  const submitted = ofType(events, 'task.submitted');
  const given = new Set(remote.deletions.map(({ jobId }) => jobId));
  const ids = submitted.map(jobIdOf);
  const rounds = submitted.map(({ data }) => data['round']);
  return [
    ...ids.filter((id) => !given.has(id)).map((id) => `job ${id} was never given for this subject`),
    ...ids.filter((id, place) => ids.indexOf(id) !== place).map((id) => `job ${id} is in two rounds`),
    ...(new Set(rounds).size === rounds.length ? [] : ['a round has two jobs']),
  ];
}

/** What the trail says of a job's end, OpenReplay says too, and had happened by then. */
function faultsOfReports({ events, remote }: One): readonly string[] {
  const jobs = new Map(remote.jobs.map((job) => [job.jobId, job]));
  return ofType(events, 'task.job_status_seen').flatMap((event) => {
    const { reported } = event.data;
    const job = jobs.get(jobIdOf(event));
    if (job === undefined || (reported !== 'completed' && reported !== 'failed')) return [];
    const isTrue = job.status === reported && (job.updatedAt ?? Infinity) <= timeOf(event) + ROUNDING_MS;
    return isTrue ? [] : [`event ${event.seq} says job ${job.jobId} was ${reported}; it is ${job.status}`];
  });
}

/** Sessions before and after are those that OpenReplay had. */
function faultsOfCounts({ events, remote, person, isOnly }: One): readonly string[] {
  const counted = remote.log.filter(({ operationId }) => operationId === 'listUserSessions');
  const before = ofType(events, 'task.submitted').flatMap((event) => {
    const said = event.data['sessions_before'];
    const had = sessionsBefore(jobIdOf(event), remote, person);
    // Where two requests share a job, one of them may have counted before the other's last job ran.
    return typeof said !== 'number' || !isOnly || had === undefined || said === had
      ? []
      : [`event ${event.seq} says ${said} sessions before the job; there were ${had}`];
  });
  const after = ofType(events, 'task.verified').flatMap((event) => {
    const said = event.data['sessions_found'];
    const wasSeen = counted.some(
      ({ at, sessions }) => sessions === said && at <= timeOf(event) + ROUNDING_MS,
    );
    return wasSeen
      ? []
      : [`event ${event.seq} says ${String(said)} sessions; OpenReplay never showed so many`];
  });
  return [...before, ...after];
}

/** By what each job before it must have deleted; undefined for a job that vanished. */
function sessionsBefore(jobId: number, { jobs }: Remote, person: Person): number | undefined {
  if (!jobs.some((job) => job.jobId === jobId)) return undefined;
  let left = person.sessions;
  for (const job of jobs.toSorted((one, other) => one.jobId - other.jobId)) {
    if (job.jobId === jobId) return left;
    const deletes = { completed: SESSIONS_PER_JOB, failed: DELETED_BEFORE_FAILING };
    if (job.status === 'completed' || job.status === 'failed') left -= Math.min(left, deletes[job.status]);
  }
  return undefined;
}

/** 0 where no job was seen to end. */
function firstEndOf(jobs: Remote['jobs']): number {
  const ends = jobs.map(({ updatedAt }) => updatedAt ?? 0);
  return ends.length > 0 ? Math.min(...ends) : 0;
}

/** Completed: after a job that did its work, and after reads that showed nobody. */
function faultsOfCompletion({ events, remote }: One): readonly string[] {
  const completedAt = Math.max(...ofType(events, 'request.completed').map(timeOf)) + ROUNDING_MS;
  const lastGiven = remote.deletions.filter(({ at }) => at <= completedAt).at(-1);
  const kept = new Map(remote.jobs.map((job) => [job.jobId, job]));
  const done = remote.jobs.filter(({ status }) => status === 'completed');
  const doneBefore = done.filter(({ updatedAt }) => (updatedAt ?? Infinity) <= completedAt);
  // Where nothing was left, a job that vanished may have been the last.
  const lastVanished = lastGiven !== undefined && !kept.has(lastGiven.jobId);
  // The first job: one of another request for the same person may end between the reads and the completion. Whoever still
  // had sessions after it, no read showed gone.
  const since = firstEndOf(doneBefore);
  const reads = remote.log.filter(({ at }) => at >= since - ROUNDING_MS && at <= completedAt);
  const saw = (operationId: string, empty: (seen: Seen) => boolean) =>
    reads.some((seen) => seen.operationId === operationId && empty(seen));
  const verified = ofType(events, 'task.verified').at(-1);
  if (ofType(events, 'task.created').length === 0) return faultsOfNobodyFound(remote, completedAt);
  const saysGone = verified?.data['user'] === 'absent' && verified.data['sessions_found'] === 0;
  return [
    ...(doneBefore.length > 0 || lastVanished ? [] : ['was completed before a job was']),
    ...(saw('getUser', ({ isKnown }) => !isKnown) ? [] : ['was completed; no read showed the user gone']),
    ...(saw('listUserSessions', ({ sessions }) => sessions === 0)
      ? []
      : ['was completed; no read showed no sessions']),
    ...(saysGone ? [] : ['was completed; its last verification does not say that all is gone']),
  ];
}

/** Who was looked for by address and not found was gone: by a job of the other request. */
function faultsOfNobodyFound({ jobs, log }: Remote, completedAt: number): readonly string[] {
  const isGone = jobs.some(
    ({ status, updatedAt }) => status === 'completed' && (updatedAt ?? Infinity) <= completedAt,
  );
  const stillThere = log.some(({ at, sessions }) => at > completedAt && sessions > 0);
  return isGone && !stillThere ? [] : ['found nobody, while OpenReplay had the subject'];
}

/** Where it ends is where its fate leads; an id that must never be sent never was. */
function faultsOfEnd({ person, events, remote }: One): readonly string[] {
  const expected = ATTENTION_OF_FATE[person.fate] === undefined ? 'completed' : 'needs_attention';
  const end = endOf(events);
  const wasSent = person.fate === 'unroutable' && remote.log.length > 0;
  return [
    ...(events[0]?.type === 'request.received' ? [] : ['does not begin with its receipt']),
    ...(end === expected ? [] : [`ends as ${end}, and should as ${expected}`]),
    ...(wasSent ? ['its id was sent to OpenReplay'] : []),
  ];
}
