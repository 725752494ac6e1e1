import type { OpenReplay, RemoteJob } from '../domain/openreplay.ts';
import { mustReadList, type PollResult } from '../domain/poll-step.ts';
import { currentRound, type Task } from '../domain/task.ts';
import { JOBS_PER_PAGE, readJobsPage } from './find-job.ts';

/**
 * Looks at the jobs of all these tasks of one project, the cheaper way: pages of listJobs, the newest first, for as long as
 * they bring some of them or a few more may, single reads for the rest. It never makes more calls than there are jobs to
 * look at, but for tasks that single reads keep missing: those need the whole list.
 *
 * @returns a result for each task, by its id
 */
export async function lookAtJobs(
  api: OpenReplay,
  projectKey: string,
  tasks: readonly Task[],
): Promise<ReadonlyMap<string, PollResult>> {
  const look = new Look(api, projectKey, tasks);
  if (tasks.some(mustReadList)) await look.readWholeList();
  else if (tasks.length > 1) await look.readUsefulPages();
  await look.readSingly();
  return look.results;
}

/** For so many jobs that are looked for, one page may be read that has none of them: newer ones come first. */
const WANTED_PER_IDLE_PAGE = 20;
/** Bounds the reading of a list that never ends: 100,000 jobs. */
const MAX_PAGES = 500;

class Look {
  readonly results = new Map<string, PollResult>();
  private readonly wanted = new Map<string, Task[]>();
  private readonly api: OpenReplay;
  private readonly projectKey: string;
  /** Calls that may still be made. */
  private budget: number;

  constructor(api: OpenReplay, projectKey: string, tasks: readonly Task[]) {
    this.api = api;
    this.projectKey = projectKey;
    for (const task of tasks) {
      const jobId = currentRound(task)?.jobId;
      // Two requests for the same person wait for the same job.
      if (jobId) this.wanted.set(jobId, [...(this.wanted.get(jobId) ?? []), task]);
      else this.results.set(task.id, { kind: 'missing', listed: false });
    }
    this.budget = this.wanted.size;
  }

  async readUsefulPages(): Promise<void> {
    let idle = Math.ceil(this.wanted.size / WANTED_PER_IDLE_PAGE);
    for (let page = 1; this.wanted.size > 1 && idle > 0; page += 1) {
      const jobs = await this.readPage(page);
      if (jobs === undefined) return;
      if (!this.settle(jobs)) idle -= 1;
      if (jobs.length < JOBS_PER_PAGE) return;
    }
  }

  /** Reads to the end, and only then calls what was not seen missing. */
  async readWholeList(): Promise<void> {
    for (let page = 1; page <= MAX_PAGES && this.wanted.size > 0; page += 1) {
      this.budget -= 1;
      const read = await readJobsPage(this.api, this.projectKey, page);
      if (!read.ok) return;
      const jobs = read.value.items;
      this.settle(jobs);
      if (jobs.length < JOBS_PER_PAGE) {
        this.settleRest({ kind: 'missing', listed: true });
        return;
      }
    }
  }

  async readSingly(): Promise<void> {
    for (const [jobId, tasks] of this.wanted) {
      if (this.budget <= 0) break;
      this.budget -= 1;
      const read = await this.api.getJob({ projectKey: this.projectKey, jobId });
      for (const task of tasks) this.results.set(task.id, resultOf(read));
      this.wanted.delete(jobId);
    }
    this.settleRest({ kind: 'not_asked' });
  }

  /** Undefined when the list could not be read; single reads may still succeed. */
  private async readPage(page: number): Promise<readonly RemoteJob[] | undefined> {
    this.budget -= 1;
    const read = await this.api.listJobs(this.projectKey, { limit: JOBS_PER_PAGE, page });
    return read.ok ? read.value.items : undefined;
  }

  private settle(jobs: readonly RemoteJob[]): boolean {
    const before = this.wanted.size;
    for (const job of jobs) {
      for (const task of this.wanted.get(job.jobId) ?? []) this.results.set(task.id, { kind: 'job', job });
      this.wanted.delete(job.jobId);
    }
    return this.wanted.size < before;
  }

  private settleRest(result: PollResult): void {
    for (const task of [...this.wanted.values()].flat()) this.results.set(task.id, result);
    this.wanted.clear();
  }
}

function resultOf(read: Awaited<ReturnType<OpenReplay['getJob']>>): PollResult {
  if (read.ok) return { kind: 'job', job: read.value };
  if (read.failure.kind === 'not_found') return { kind: 'missing', listed: false };
  return { kind: 'failure', failure: read.failure };
}
