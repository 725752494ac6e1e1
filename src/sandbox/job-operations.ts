import { MOST_PER_PAGE } from './bodies.ts';
import { inProject, success, type Call, type Operation, type World } from './operation.ts';
import type { Answer } from './shapes.ts';
import type { JobRecord, ProjectRecord } from './state.ts';

const DEFAULT_LIMIT = 50;

/** Newest first. A limit or page that makes no sense falls back, and is not refused. */
const listJobs: Operation = inProject(({ shapes }, { query }, { jobs }) => {
  const asked = integerOf(query['limit']) ?? DEFAULT_LIMIT;
  const limit = asked < 1 || asked > MOST_PER_PAGE ? DEFAULT_LIMIT : asked;
  const page = Math.max(integerOf(query['page']) ?? 1, 1);
  const end = Math.max(jobs.length - (page - 1) * limit, 0);
  const items = jobs.slice(Math.max(end - limit, 0), end).reverse();
  return success(shapes.jobs({ items, total: jobs.length }));
});

const getJob: Operation = withJob(({ shapes }, _call, job) => success(shapes.job(job)));

const cancelJob: Operation = withJob(({ shapes, settings, runner }, { operationId }, job) => {
  const { status } = job;
  if (settings.personality === 'real' && (status === 'completed' || status === 'cancelled')) {
    return shapes.refusal(operationId, 400, `the requested job has already been ${status}`);
  }
  // Real servers turn a failed job into a cancelled one. The contract cancels what has not ended, and shows the rest.
  const ended = status === 'completed' || status === 'cancelled' || status === 'failed';
  if (settings.personality === 'real' || !ended) runner.cancel(job);
  return success(shapes.job(job));
});

/** List, read and cancel jobs. */
export const jobOperations = { listJobs, getJob, cancelJob };

function withJob(carryOut: (world: World, call: Call, job: JobRecord) => Answer): Operation {
  return inProject((world, call, project: ProjectRecord) => {
    const { shapes, settings, runner } = world;
    const jobId = integerOf(call.jobId);
    if (jobId === undefined && settings.personality === 'real') {
      return shapes.refusal(call.operationId, 400, 'invalid path param jobID: invalid syntax');
    }
    const job = jobId === undefined ? undefined : runner.find(project, jobId);
    return job === undefined
      ? shapes.refusal(call.operationId, 404, 'job not found')
      : carryOut(world, call, job);
  });
}

function integerOf(text: unknown): number | undefined {
  return typeof text === 'string' && /^[+-]?\d{1,15}$/.test(text) ? Number(text) : undefined;
}
