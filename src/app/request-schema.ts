import { z } from 'zod';
import { REPLY_STATES } from '../domain/callback.ts';
import { UNROUTABLE_REASONS } from '../domain/identifiers.ts';
import { REMOTE_STATUSES } from '../domain/openreplay.ts';
import { REGULATIONS } from '../domain/regulation.ts';
import { CHANNELS, HOLDERS, OUTCOMES, REQUEST_ATTENTIONS, REQUEST_TYPES } from '../domain/request.ts';
import { PACKAGE_STATES } from '../domain/access-package.ts';
import { REQUEST_STATES, TASK_STATES } from '../domain/states.ts';
import { TASK_ATTENTIONS } from '../domain/task.ts';
import { WAIT_REASONS } from '../domain/work.ts';
import { EXAMPLE_ID, EXAMPLE_TIME, REQUEST_EXAMPLE } from './request-example.ts';
import { subjectPseudonym } from './subject-schema.ts';

/**
 * A request as people and programs see it. The types of the views are inferred from these schemas, and the API's
 * OpenAPI document is made of them: `id` names a component there, `description` is what its readers see.
 */

export const time = z.iso.datetime({ offset: true }).meta({ id: 'Time', examples: [EXAMPLE_TIME] });

/** How ids of erasure requests look; anything else names none, and is not even looked for. */
export const REQUEST_ID = /^er_[0-9a-f]{32}$/;
export const requestId = z
  .string()
  .regex(REQUEST_ID)
  .meta({ id: 'RequestId', examples: [EXAMPLE_ID] });
const taskId = z
  .string()
  .regex(/^tk_[0-9a-f]{32}$/)
  .meta({ id: 'TaskId' });

export const requestState = z
  .enum(REQUEST_STATES, `one of ${REQUEST_STATES.join(', ')}`)
  .meta({ id: 'RequestState' });
export const requestType = z
  .enum(REQUEST_TYPES, `one of ${REQUEST_TYPES.join(', ')}`)
  .meta({ id: 'RequestType', description: 'Art. 17; Art. 15 and 20; or a copy before it is erased.' });
export const regulation = z.enum(REGULATIONS, `one of ${REGULATIONS.join(', ')}`).meta({ id: 'Regulation' });

/** Who has to act for a request to move on. */
const actsNext = z.enum(['lethe', 'openreplay', 'privacy_team', 'operator']);
export type ActsNext = z.infer<typeof actsNext>;

/** States in which only a person can move a request on. */
const WAITING_STATES = ['awaiting_identity', 'awaiting_approval', 'on_hold'] as const;

export const waiting = z
  .strictObject({
    reason: z.enum([
      ...new Set([...WAITING_STATES, ...WAIT_REASONS, ...REQUEST_ATTENTIONS, ...TASK_ATTENTIONS]),
    ]),
    actsNext,
    explanation: z.string().meta({ description: 'One sentence for a person.' }),
    until: time.nullable().meta({ description: 'When Lethe looks again; null when it waits for a person.' }),
  })
  .meta({ id: 'Waiting', description: 'What is waited for, and who acts next.' });
export type WaitingView = z.infer<typeof waiting>;

export const forecast = z
  .strictObject({
    expectedAt: time
      .nullable()
      .meta({ description: 'To the minute; null while a person has to act, or a hold stands.' }),
    confidence: z.enum(['observed', 'assumed']).nullable().meta({
      description:
        '`assumed`: too few finished rounds of the connection were seen, or the sessions were not counted.',
    }),
    words: z.string().meta({ description: 'What it rests on, or why nothing can be foreseen.' }),
  })
  .meta({ id: 'Forecast', description: 'When the erasure can be expected to be verified.' });
export type ForecastView = z.infer<typeof forecast>;

const reported = z.enum([...REMOTE_STATUSES, 'unknown', 'no_such_user', 'vanished']).meta({
  id: 'Reported',
  description: 'What OpenReplay reported last; says nothing about what is gone.',
});

const round = z
  .strictObject({
    number: z.int().min(1),
    jobId: z.string().nullable(),
    adopted: z
      .boolean()
      .meta({ description: 'The job was found running rather than asked for by this round.' }),
    reported: reported.nullable(),
    sessionsBefore: z
      .int()
      .min(0)
      .nullable()
      .meta({ description: 'Sessions counted before the round; null when not counted.' }),
    intendedAt: time,
    submittedAt: time.nullable(),
    startAt: time
      .nullable()
      .meta({ description: 'When OpenReplay says that the job may start, where it does.' }),
    endedAt: time.nullable(),
    overdueAt: time.optional().meta({ description: 'When it was noted that the job is late.' }),
    stalledAt: time.optional().meta({ description: 'When it was late enough to be called back.' }),
  })
  .meta({ id: 'Round', description: 'One job asked of OpenReplay.' });

const checkResult = z.enum(['absent', 'residue', 'unavailable']).meta({ id: 'CheckResult' });

const verification = z
  .strictObject({
    user: checkResult,
    sessions: checkResult,
    sessionsFound: z
      .int()
      .min(0)
      .nullable()
      .meta({ description: 'Sessions found over the whole time; null when unavailable.' }),
    live: checkResult,
    liveOffered: z.boolean().meta({ description: 'Whether the server has live sessions at all.' }),
    verifiedAt: time,
  })
  .meta({ id: 'Verification', description: 'What was seen by reading again after the job.' });

const task = z
  .strictObject({
    id: taskId,
    connection: z.string(),
    projectKey: z
      .string()
      .nullable()
      .meta({ description: 'Null only for an unroutable id without named projects.' }),
    state: z.enum(TASK_STATES).meta({ id: 'TaskState' }),
    unroutable: z
      .strictObject({ reason: z.enum(UNROUTABLE_REASONS), explanation: z.string() })
      .nullable()
      .meta({ description: 'Why the user id can never be sent to OpenReplay.' }),
    attention: z
      .enum(TASK_ATTENTIONS)
      .nullable()
      .meta({ description: 'Why a person is needed, while one is.' }),
    reported: reported.nullable(),
    rounds: z.array(round),
    verification: verification
      .nullable()
      .meta({ description: 'What Lethe saw when it looked again; null before it looked.' }),
    storageCheckNeeded: z.boolean().meta({
      description: "A job failed after it had deleted rows; somebody should look at the recordings' storage.",
    }),
    waiting: waiting.nullable().meta({ description: 'What it waits for; null when it waits for nothing.' }),
  })
  .meta({ id: 'Task', description: 'The data subject in one project.' });
export type TaskView = z.infer<typeof task>;

export const day = z.iso.date().meta({ id: 'Day', examples: ['2026-04-01'] });

const explanation = z
  .strictObject({
    rule: z.string(),
    source: z.string().meta({ description: 'Where the rule stands.' }),
    receivedOn: day,
    countedTo: day.meta({ description: 'Where the counting ends, before days off are passed over.' }),
    passed: z.array(
      z.strictObject({ day, kind: z.enum(['saturday', 'sunday', 'holiday']), name: z.string() }),
    ),
    result: day,
    words: z.string().meta({ description: 'All of it in sentences.' }),
  })
  .meta({ id: 'DeadlineExplanation' });

const clock = z
  .strictObject({
    receivedOn: day,
    dueOn: day.meta({ description: 'The last day, with the extension where there is one.' }),
    daysLeft: z
      .int()
      .nullable()
      .meta({ description: 'Below 0 when overdue; null once the request is closed.' }),
    extendedAt: time.nullable(),
    extendBy: day.meta({ description: 'The last day on which the notice of an extension may go out.' }),
    extendedDueOn: day,
    confirmBy: day.nullable().meta({ description: 'The last day to confirm the receipt (ccpa).' }),
    explanation: z.strictObject({
      due: explanation,
      extended: explanation,
      confirm: explanation.nullable(),
    }),
  })
  .meta({ id: 'Clock', description: 'The statutory clock, as computed when the request came in.' });
export type ClockView = z.infer<typeof clock>;

const accessPackage = z
  .strictObject({
    state: z.enum(PACKAGE_STATES).meta({ id: 'PackageState' }),
    readyAt: time.nullable(),
    expiresAt: time.nullable().meta({ description: 'When its data is deleted, downloaded or not.' }),
    downloadedAt: time.nullable(),
    bytes: z.int().min(0).nullable().meta({ description: 'Of all files, before they are packed.' }),
    gaps: z.int().min(0).nullable().meta({ description: 'Things that could not be read; it names them.' }),
  })
  .meta({ id: 'AccessPackage', description: 'What is gathered for the subject; handed out once.' });

/** Pseudonym, dates, states, no identifier. */
export const requestView = z
  .strictObject({
    id: requestId,
    type: requestType,
    state: requestState,
    attention: z
      .enum(REQUEST_ATTENTIONS)
      .nullable()
      .meta({ description: 'Why a person is needed, while one is.' }),
    outcome: z.enum(OUTCOMES).nullable().meta({ description: 'How a completed request ended.' }),
    hold: z
      .strictObject({ by: z.enum(HOLDERS), from: requestState })
      .nullable()
      .meta({ description: 'While on hold: who holds it, and the state it goes back to.' }),
    regulation,
    channel: z.enum(CHANNELS).meta({
      description:
        'Where it came from; `webhook`: a ticketing system; `sentinel`: a subject that was erased is there again. What it reopens is in its first event.',
    }),
    connection: z
      .string()
      .nullable()
      .meta({ description: 'Null for every configured connection: a search by e-mail address.' }),
    projectKeys: z
      .array(z.string())
      .nullable()
      .meta({ description: 'As asked; null stands for every project that the connection allows.' }),
    reference: z.string().nullable(),
    subject: subjectPseudonym.extend({
      state: z.enum(['kept', 'destroyed']).meta({
        description: 'Whether the identifier can still be read; the pseudonym stays.',
      }),
      destroyedAt: time.nullable(),
    }),
    receivedAt: time,
    createdAt: time,
    updatedAt: time,
    completedAt: time.nullable(),
    cancelRequestedAt: time.nullable(),
    identity: z.strictObject({ required: z.boolean(), verifiedAt: time.nullable() }),
    approvals: z
      .strictObject({ needed: z.int().min(0).max(2), given: z.int().min(0) })
      .meta({ description: 'Approvals by others than the submitter.' }),
    coolingOffUntil: time.nullable(),
    expectedTasks: z
      .int()
      .min(0)
      .nullable()
      .meta({ description: 'What the submitter expects to be found; otherwise a person decides.' }),
    clock: clock.nullable(),
    accessPackage: accessPackage
      .nullable()
      .meta({ description: 'Null where no access is asked for, or nothing was found yet.' }),
    related: z
      .array(requestId)
      .meta({ description: 'Other open requests for the same subject; each has its own gates and clock.' }),
    ticket: z
      .strictObject({
        source: z.string().meta({ description: 'The source, as the configuration calls it.' }),
        reference: z.string().meta({ description: "The ticketing system's name of the ticket." }),
        changedAt: time.nullable().meta({ description: 'When the ticket was last told to have changed.' }),
        changed: z.array(z.string()).meta({
          description:
            'What the ticket says differently now than when the request was made of it, such as `subject`; the request stays as it was made.',
        }),
      })
      .nullable()
      .meta({ description: 'The ticket that it was made of; null for one that came in otherwise.' }),
    replies: z
      .enum(REPLY_STATES)
      .nullable()
      .meta({ description: 'How it stands with the answers to its ticket; null where none is to be told.' }),
    waiting: waiting.nullable().meta({ description: 'What it waits for; null once the request is closed.' }),
    forecast: forecast.nullable().meta({
      description: 'Null once the request is closed, or is about to be cancelled.',
    }),
    tasks: z.array(task),
  })
  .meta({ id: 'ErasureRequest', examples: [REQUEST_EXAMPLE] });
export type RequestView = z.infer<typeof requestView>;

/** The most items that a page of any list has. */
export const PAGE_MAX = 200;

export const requestPage = z
  .strictObject({
    items: z.array(requestView).max(PAGE_MAX),
    nextCursor: requestId
      .nullable()
      .meta({ description: 'Give it as `cursor` for what follows; null on the last page.' }),
  })
  .meta({ id: 'RequestPage' });
export type RequestPage = z.infer<typeof requestPage>;
