import { z } from 'zod';
import type { Page, RemoteJob, UserAddress, WholeRecord, WholeSession } from '../domain/openreplay.ts';
import { errorSignal, optionalInteger } from './fields.ts';
import { event, job, listedUser, project, session, singleUser } from './rows.ts';
import { unescapeHtml } from './unescape-html.ts';

/**
 * Reads the JSON of a 2xx answer; `undefined` when it lacks what is needed. The shapes are those of the contract
 * and those seen on real servers: see "Contract beside reality" in the notes on OpenReplay.
 */
export type Reader<T> = (json: unknown) => T | undefined;

/** Every answer comes in this envelope; servers put errors into it with a 200, too. */
const envelope = z.object({ data: z.unknown().optional(), error: errorSignal, errors: errorSignal });

function dataOf(json: unknown): unknown {
  const read = envelope.safeParse(json);
  if (!read.success || read.data.error || read.data.errors) return undefined;
  return read.data.data;
}

/** Live sessions come from another service, which wraps its answer once more or not at all. */
function liveDataOf(json: unknown): unknown {
  if (Array.isArray(json)) return json;
  const data = dataOf(json);
  const wrapped = z.object({ data: z.unknown() }).safeParse(data);
  return wrapped.success ? dataOf(data) : data;
}

function reader<T>(schema: z.ZodType<T>, unwrap: (json: unknown) => unknown = dataOf): Reader<T> {
  return (json) => {
    const read = schema.safeParse(unwrap(json));
    return read.success ? read.data : undefined;
  };
}

/** Go servers send an empty list as `null`. A missing list is not an empty one. */
function list<T>(row: z.ZodType<T>) {
  return z
    .array(row)
    .nullable()
    .transform((rows): readonly T[] => rows ?? []);
}

function bareList<T>(row: z.ZodType<T>) {
  return z.array(row).transform((items): Page<T> => ({ items, total: undefined }));
}

const users = z
  .object({ users: list(listedUser), total: optionalInteger })
  .transform(({ users: items, total }) => ({ items, total }));
const sessions = z
  .object({ sessions: list(session), total: optionalInteger })
  .transform(({ sessions: items, total }) => ({ items, total }));
const events = z
  .object({ events: list(event), total: optionalInteger })
  .transform(({ events: items, total }) => ({ items, total }));
const jobs = z
  .object({ jobs: list(job), total: optionalInteger })
  .transform(({ jobs: items, total }) => ({ items, total }));

/** Pages shift while jobs are added, so a job can come twice. The first one is the newer word. */
function withoutRepeats({ items, total }: Page<RemoteJob>): Page<RemoteJob> {
  const byId = new Map<string, RemoteJob>();
  for (const item of items) if (!byId.has(item.jobId)) byId.set(item.jobId, item);
  return { items: [...byId.values()], total };
}

export const readProjects = reader(z.array(project));
export const readProject = reader(project);
export const readUsers = reader(users);
export const readUser = reader(singleUser);
export const readSessions = reader(sessions);
export const readEvents = reader(events);
export const readJob = reader(job);
export const readJobs = reader(z.union([bareList(job), jobs]).transform(withoutRepeats));
export const readLiveSessions = reader(z.union([bareList(session), sessions]), liveDataOf);

const whole: z.ZodType<WholeRecord> = z.record(z.string(), z.unknown());

/** A user with all that is said of them; an answer about somebody else is no answer. */
export function readWholeUser({ userId }: UserAddress): Reader<WholeRecord> {
  return reader(whole.refine((record) => singleUser.safeParse(record).data?.userId === userId));
}

/** Sessions with all that is said of them, each marked where the server names another user. */
export function readWholeSessions({ userId }: UserAddress): Reader<Page<WholeSession>> {
  const row = whole.transform((record, context): WholeSession => {
    const read = session.safeParse(record).data;
    if (read === undefined) {
      context.addIssue('no session');
      return z.NEVER;
    }
    const named = read.userId;
    const ofSomebodyElse = named !== undefined && named !== userId && unescapeHtml(named) !== userId;
    return { sessionId: read.sessionId, ofSomebodyElse, record };
  });
  return reader(
    z
      .object({ sessions: list(row), total: optionalInteger })
      .transform(({ sessions: items, total }) => ({ items, total })),
  );
}

export const readWholeEvents = reader(
  z
    .object({ events: list(whole), total: optionalInteger })
    .transform(({ events: items, total }) => ({ items, total })),
);
