import { z } from 'zod';
import { articlesOf } from '../domain/articles.ts';
import { REFUSAL_GROUNDS } from '../domain/policy.ts';
import { CHANNELS, OUTCOMES } from '../domain/request.ts';
import { isTerminalRequestState } from '../domain/states.ts';
import { needsStorageCheck, type Round } from '../domain/task.ts';
import type { RegisterEntry, RegisterTask } from './ports/reports.ts';
import { day, regulation, requestId, time } from './request-schema.ts';

const REASON_KEPT = 'kept';
const NOT_REPORTED = 'not_reported';

/**
 * What is left behind by every deletion, by its name: recordings until the rule of the object storage has run, events in
 * the analytics store until its retention ends, and backups until they expire. As certificates say it.
 */
const RESIDUALS_OF_DELETION = ['recordings_marked', 'analytics_store', 'backups'] as const;
const STORAGE_CHECK_NEEDED = 'storage_check_needed';

const texts = z.array(z.string());

/** One request in the register. The names and their order are the columns; null and an empty list are an empty cell. */
export const registerRow = z
  .strictObject({
    request_id: requestId,
    channel: z.enum(CHANNELS),
    ticket_ref: z.string().nullable().meta({ description: 'The reference that the caller gave.' }),
    article: texts.meta({ description: 'What the request rests on, by its type and regulation.' }),
    regulation,
    subject_ref: z.string().meta({ description: 'A pseudonym. It is still personal data.' }),
    key_version: z.int().meta({ description: 'Of the key that the pseudonym was made with.' }),
    received_at: time,
    identity_method: z.string().nullable(),
    identity_verified_at: time.nullable(),
    paused_from: z
      .array(time)
      .meta({ description: 'When it was put on legal hold; that stops no deadline.' }),
    paused_to: z.array(time).meta({ description: 'When it was taken off; one fewer while it is held.' }),
    due_at: day.nullable().meta({ description: 'The last day of the first period.' }),
    extended_to: day.nullable().meta({ description: 'The last day, once the period was extended.' }),
    extension_reason: z.enum([REASON_KEPT]).nullable().meta({
      description: '`kept`: it stands, as free text, only in the decisions of the request.',
    }),
    extension_notified_at: z.null().meta({ description: 'Not known to Lethe, which sends no notice.' }),
    decision: z
      .enum([...OUTCOMES, 'refused', 'cancelled'])
      .nullable()
      .meta({ description: 'How the request ended; null while it is open.' }),
    refusal_ground: z.enum(REFUSAL_GROUNDS).nullable(),
    approver: texts.meta({ description: 'Ids of the API keys that approved it.' }),
    projects: texts.meta({ description: 'As `connection/project`, each once.' }),
    job_ids: texts.meta({ description: "OpenReplay's deletion jobs as `connection/job`, task by task." }),
    reported_status: texts.meta({
      description:
        'What OpenReplay reported of each job, in the order of `job_ids`, `not_reported` while it has not; then `no_such_user` for each user that OpenReplay made no job for.',
    }),
    verified_at: time.nullable().meta({
      description: 'When the last task was verified as erased; null unless all of them are.',
    }),
    residuals: texts.meta({
      description: 'What is left or may be: of every deletion, and what of this one needs a person.',
    }),
    recipients_notified: z.null().meta({ description: 'Not known to Lethe.' }),
    completed_at: time.nullable().meta({ description: 'Null for requests that were refused or cancelled.' }),
    days_to_complete: z.int().nullable().meta({
      description: "Calendar days from receipt to completion in the time zone of the regulation's deadlines.",
    }),
    leaf_index: z.int().nullable().meta({
      description: 'Of the event that closed the request in the log; else of its last one that is sealed.',
    }),
    checkpoint_size: z.int().nullable().meta({ description: 'Of the first checkpoint with that leaf.' }),
  })
  .meta({ id: 'RegisterRow' });
export type RegisterRow = z.infer<typeof registerRow>;

export function registerRowOf(entry: RegisterEntry): RegisterRow {
  const { request, subject, tasks } = entry;
  const extended = request.extendedAt !== null;
  return {
    request_id: request.id,
    channel: request.channel,
    ticket_ref: request.reference,
    article: [...articlesOf(request.type, request.regulation)],
    regulation: request.regulation,
    subject_ref: subject.ref,
    key_version: subject.keyVersion,
    received_at: request.receivedAt.toISOString(),
    identity_method: entry.identityMethod,
    identity_verified_at: timeOf(request.identityVerifiedAt),
    paused_from: entry.holds.filter(({ begins }) => begins).map(({ at }) => at),
    paused_to: entry.holds.filter(({ begins }) => !begins).map(({ at }) => at),
    due_at: entry.dueOn,
    extended_to: extended ? entry.extendedDueOn : null,
    extension_reason: extended ? REASON_KEPT : null,
    extension_notified_at: null,
    decision: decisionOf(request),
    refusal_ground: entry.refusalGround,
    approver: [...entry.approvers],
    projects: projectsOf(tasks),
    ...jobsOf(tasks),
    verified_at: verifiedAt(tasks),
    residuals: residualsOf(tasks),
    recipients_notified: null,
    completed_at: timeOf(request.completedAt),
    days_to_complete: entry.daysToComplete,
    leaf_index: entry.leafIndex,
    checkpoint_size: entry.checkpointSize,
  };
}

function timeOf(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}

function decisionOf({ state, outcome }: RegisterEntry['request']): RegisterRow['decision'] {
  if (!isTerminalRequestState(state)) return null;
  return state === 'refused' || state === 'cancelled' ? state : outcome;
}

/** A name of a server goes before the names it gives: they are its own, and may be plain numbers. */
function projectsOf(tasks: readonly RegisterTask[]): string[] {
  const named = tasks.flatMap(({ connection, projectKey }) =>
    projectKey === null ? [] : [`${connection}/${projectKey}`],
  );
  return [...new Set(named)];
}

function jobsOf(tasks: readonly RegisterTask[]): Pick<RegisterRow, 'job_ids' | 'reported_status'> {
  const rounds = tasks.flatMap(({ connection, rounds: all }) => all.map((round) => ({ connection, round })));
  const jobs = rounds.flatMap(({ connection, round }) =>
    round.jobId === null ? [] : [{ id: `${connection}/${round.jobId}`, reported: reportedOf(round) }],
  );
  const withoutJob = rounds.flatMap(({ round }) => (round.jobId === null ? (round.reported ?? []) : []));
  return {
    job_ids: jobs.map(({ id }) => id),
    reported_status: [...jobs.map(({ reported }) => reported), ...withoutJob],
  };
}

function reportedOf({ reported }: Round): string {
  return reported ?? NOT_REPORTED;
}

function verifiedAt(tasks: readonly RegisterTask[]): string | null {
  const erased = tasks.every(({ state }) => state === 'erased');
  const times = tasks.flatMap(({ verification }) => verification?.verifiedAt ?? []).toSorted();
  return erased ? (times.at(-1) ?? null) : null;
}

function residualsOf(tasks: readonly RegisterTask[]): string[] {
  const deleted = tasks.some(({ rounds }) => rounds.some(({ reported }) => reported === 'completed'));
  const storage = tasks.some(({ rounds }) => needsStorageCheck(rounds));
  return [
    ...(deleted ? RESIDUALS_OF_DELETION : []),
    ...(storage ? [STORAGE_CHECK_NEEDED] : []),
    ...new Set(tasks.flatMap(({ attention }) => attention ?? [])),
  ];
}
