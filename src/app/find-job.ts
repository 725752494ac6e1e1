import type { CallFailure, OpenReplay, Outcome, Page, RemoteJob, UserAddress } from '../domain/openreplay.ts';
import { currentRound, type Task } from '../domain/task.ts';

/** The most that one answer of listJobs holds. */
export const JOBS_PER_PAGE = 200;
/** Bounds a search through a very long list: 10,000 jobs. */
const MAX_PAGES = 50;
/** How often a page is asked for that does not come. */
const PAGE_TRIES = 3;
/** How far OpenReplay's clock may be from ours for a job to count as newer than our intent. */
const CLOCK_SKEW_MS = 300_000;

/**
 * Finds the job of a deletion whose answer was lost: one for this user that is active, or that was made since the
 * intent and belongs to no earlier round. OpenReplay lists newest first, so the search ends at jobs older than the
 * intent.
 *
 * @returns the job, or undefined when there is none (or the server does not name users in its jobs)
 */
export async function findLostJob(
  api: OpenReplay,
  user: UserAddress,
  task: Task,
): Promise<Outcome<RemoteJob | undefined>> {
  const since = Date.parse(currentRound(task)?.intendedAt ?? '') - CLOCK_SKEW_MS;
  const known = new Set(task.rounds.map((round) => round.jobId));
  return searchJobs(api, user.projectKey, {
    matches: (job) =>
      job.referenceId === user.userId &&
      (isActive(job) || ((job.createdAt ?? 0) >= since && !known.has(job.jobId))),
    endsAt: (job) => job.createdAt !== undefined && job.createdAt < since,
  });
}

/** Finds the active job for this user that a 409 speaks of without naming it. */
export async function findActiveJob(
  api: OpenReplay,
  user: UserAddress,
): Promise<Outcome<RemoteJob | undefined>> {
  return searchJobs(api, user.projectKey, {
    matches: (job) => job.referenceId === user.userId && isActive(job),
    endsAt: () => false,
  });
}

function isActive(job: RemoteJob): boolean {
  return job.status === 'scheduled' || job.status === 'running' || job.status === 'unknown';
}

interface Search {
  readonly matches: (job: RemoteJob) => boolean;
  readonly endsAt: (job: RemoteJob) => boolean;
}

async function searchJobs(
  api: OpenReplay,
  projectKey: string,
  search: Search,
): Promise<Outcome<RemoteJob | undefined>> {
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const read = await readJobsPage(api, projectKey, page);
    if (!read.ok) return read;
    const jobs = read.value.items;
    const found = jobs.find(search.matches);
    if (found !== undefined) return { ok: true, value: found };
    const namesUsers = jobs.some((job) => job.referenceId !== undefined);
    if (jobs.length < JOBS_PER_PAGE || !namesUsers || jobs.some(search.endsAt)) break;
  }
  return { ok: true, value: undefined };
}

/**
 * Reads a page of a search that is worth nothing without it, again where the server fails now and then: a search through
 * twenty pages that began anew after each failure would hardly ever come to its end.
 */
export async function readJobsPage(
  api: OpenReplay,
  projectKey: string,
  page: number,
): Promise<Outcome<Page<RemoteJob>>> {
  for (let tries = 1; ; tries += 1) {
    const read = await api.listJobs(projectKey, { limit: JOBS_PER_PAGE, page });
    if (read.ok || tries >= PAGE_TRIES || !maySucceedNow(read.failure)) return read;
  }
}

function maySucceedNow({ kind }: CallFailure): boolean {
  return kind === 'server_error' || kind === 'no_answer';
}
