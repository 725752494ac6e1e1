import type { FaultDraw } from './faults.ts';
import { wakeAfterMidnightMs, type Settings } from './options.ts';
import type { JobRecord, JobStatus, ProjectRecord, SandboxState } from './state.ts';

interface Work {
  readonly job: JobRecord;
  readonly project: ProjectRecord;
  readonly cancelledByOthers: boolean;
  /** Epoch ms at which it is picked up; once picked up, at which it is done. */
  dueAt: number;
}

/** A user whose data a job has deleted to the last session. */
export interface Erasure {
  readonly projectKey: string;
  readonly userId: string;
  readonly at: number;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Makes jobs and runs them: each night at once all that are due, as the real server's runner does. Both queues are in
 * the order of their times, so one timer, on the head of each, serves any number of jobs.
 */
export class JobRunner {
  readonly erased: Erasure[] = [];
  maxActiveJobsPerUser = 0;
  readonly #settings: Settings;
  readonly #state: SandboxState;
  readonly #draw: FaultDraw;
  readonly #byId = new Map<number, Work>();
  readonly #waiting = new Set<Work>();
  readonly #pickedUp = new Set<Work>();
  readonly #activeByUser = new WeakMap<ProjectRecord, Map<string, number>>();
  readonly #failedOnce = new WeakMap<ProjectRecord, Set<string>>();
  #made = 0;
  #started = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;

  constructor(parts: { settings: Settings; state: SandboxState; draw: FaultDraw }) {
    this.#settings = parts.settings;
    this.#state = parts.state;
    this.#draw = parts.draw;
  }

  /** Lets time pass: jobs run when they are due. The timer keeps no process alive. */
  start(): void {
    this.#started = true;
    this.#arm();
  }

  stop(): void {
    this.#started = false;
    this.#disarm();
  }

  /** Schedules the deletion of a user. Asks for nothing: the user need not exist. */
  create(project: ProjectRecord, userId: string): JobRecord {
    const createdAt = this.#settings.now();
    this.#made += 1;
    const job: JobRecord = {
      ...{
        jobId: this.#made,
        projectId: project.projectId,
        userId,
        createdAt,
        startAt: this.#startAt(createdAt),
      },
      ...{ status: 'scheduled', updatedAt: null, errors: null },
    };
    if (this.#draw.forJob('vanishJobs', userId)) return job;
    const wakeMs = this.#settings.jobDelayMs === undefined ? wakeAfterMidnightMs(this.#settings) : 0;
    const cancelledByOthers = this.#draw.forJob('cancelledByOthers', userId);
    const work: Work = { job, project, cancelledByOthers, dueAt: job.startAt + wakeMs };
    project.jobs.push(job);
    this.#byId.set(job.jobId, work);
    this.#countActive(work, 1);
    if (!this.#draw.forJob('hangJobs', userId)) this.#waiting.add(work);
    this.#arm();
    return job;
  }

  find(project: ProjectRecord, jobId: number): JobRecord | undefined {
    const work = this.#byId.get(jobId);
    return work?.project === project ? work.job : undefined;
  }

  hasActive(project: ProjectRecord, userId: string): boolean {
    return (this.#activeByUser.get(project)?.get(userId) ?? 0) > 0;
  }

  /** Marks the job cancelled. What the runner has picked up it carries out all the same. */
  cancel(job: JobRecord): void {
    const work = this.#byId.get(job.jobId);
    if (work === undefined) return;
    this.#setStatus(work, 'cancelled');
    if (this.#draw.faults.completesAfterCancel) return;
    this.#waiting.delete(work);
    if (this.#settings.personality === 'contract') this.#pickedUp.delete(work);
  }

  /** Runs what is due by now; answers how many jobs came to their end. */
  runDue(): number {
    const now = this.#settings.now();
    const missed = this.#draw.faults.missedRuns > 0 && this.#postpone(untilDue(this.#waiting, now));
    const done = this.#runUntil(now);
    if (missed) this.#draw.faults.missedRuns -= 1;
    this.#arm();
    return done;
  }

  /** Runs every job there is to its end, whenever it is due (those that hang stay). Answers how many. */
  runAll(): number {
    const done = this.#runUntil(Infinity) + this.#runUntil(Infinity);
    this.#arm();
    return done;
  }

  #runUntil(time: number): number {
    let done = 0;
    for (const work of untilDue(this.#pickedUp, time)) done += this.#finish(work);
    for (const work of untilDue(this.#waiting, time)) done += this.#pickUp(work);
    return done;
  }

  /** A run that does not happen; answers whether it would have had anything to do. */
  #postpone(missed: readonly Work[]): boolean {
    const { now, dayMs, jobDelayMs } = this.#settings;
    for (const work of missed) {
      work.dueAt = jobDelayMs === undefined ? work.dueAt + dayMs : now() + jobDelayMs;
      // To the end of the queue, which stays in the order of its times.
      this.#waiting.delete(work);
      this.#waiting.add(work);
    }
    return missed.length > 0;
  }

  #pickUp(work: Work): number {
    this.#waiting.delete(work);
    if (work.cancelledByOthers) {
      this.#setStatus(work, 'cancelled');
      return 1;
    }
    if (this.#settings.runningMs <= 0) return this.#finish(work);
    if (this.#settings.personality === 'contract' && isActive(work.job.status))
      this.#setStatus(work, 'running');
    work.dueAt = this.#settings.now() + this.#settings.runningMs;
    this.#pickedUp.add(work);
    return 0;
  }

  #finish(work: Work): number {
    this.#pickedUp.delete(work);
    if (this.#fails(work)) {
      this.#deleteSessions(work, this.#draw.faults.deletedBeforeFailing);
      work.job.errors = `failed to delete sessions: canceling statement due to statement timeout (userId = ${work.job.userId})`;
      this.#setStatus(work, 'failed');
      return 1;
    }
    this.#deleteSessions(work, this.#settings.sessionsPerJob);
    work.job.errors = null;
    this.#setStatus(work, 'completed');
    return 1;
  }

  #fails({ project, job }: Work): boolean {
    const failed = this.#failedOnce.get(project) ?? new Set<string>();
    if (failed.has(job.userId) || !this.#draw.forJob('failFirstJob', job.userId)) return false;
    this.#failedOnce.set(project, failed.add(job.userId));
    return true;
  }

  /** Deletes by user id, whatever was recorded until now; nothing is remembered of later sessions. */
  #deleteSessions({ project, job }: Work, most: number): void {
    const user = this.#state.findUser(project, job.userId);
    if (user === undefined || most === 0) return;
    const alreadyGone = user.goneAt !== undefined;
    this.#state.deleteSessions(project, user, most);
    if (user.sessions.length > 0 || alreadyGone) return;
    const at = this.#settings.now();
    user.goneAt = at + this.#settings.analyticsLagMs;
    this.erased.push({ projectKey: project.projectKey, userId: job.userId, at });
    this.#state.findUser(project, job.userId);
  }

  #setStatus(work: Work, status: JobStatus): void {
    const change = Number(isActive(status)) - Number(isActive(work.job.status));
    work.job.status = status;
    work.job.updatedAt = this.#settings.now();
    if (change !== 0) this.#countActive(work, change);
  }

  #countActive({ project, job }: Work, change: number): void {
    const counts = this.#activeByUser.get(project) ?? new Map<string, number>();
    this.#activeByUser.set(project, counts);
    const count = (counts.get(job.userId) ?? 0) + change;
    if (count === 0) counts.delete(job.userId);
    else counts.set(job.userId, count);
    this.maxActiveJobsPerUser = Math.max(this.maxActiveJobsPerUser, count);
  }

  #startAt(createdAt: number): number {
    const { dayMs, jobDelayMs } = this.#settings;
    return jobDelayMs === undefined ? (Math.floor(createdAt / dayMs) + 1) * dayMs : createdAt + jobDelayMs;
  }

  #arm(): void {
    const next = Math.min(firstDue(this.#waiting), firstDue(this.#pickedUp));
    if (!this.#started || next === Infinity || next >= this.#timerAt) return;
    this.#disarm();
    const delayMs = Math.min(Math.max(next - this.#settings.now(), 1), LONGEST_TIMER_MS);
    this.#timerAt = next;
    this.#timer = setTimeout(() => {
      this.#disarm();
      this.runDue();
    }, delayMs).unref();
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
  }
}

function isActive(status: JobStatus): boolean {
  return status === 'scheduled' || status === 'running';
}

function firstDue(queue: ReadonlySet<Work>): number {
  for (const work of queue) return work.dueAt;
  return Infinity;
}

function untilDue(queue: ReadonlySet<Work>, time: number): Work[] {
  const due: Work[] = [];
  for (const work of queue) {
    if (work.dueAt > time) break;
    due.push(work);
  }
  return due;
}
