import { z } from 'zod';
import type { Output } from './output.ts';
import { shortTime } from './output.ts';
import { table, wrapped } from './table.ts';

const waiting = z.object({
  reason: z.string(),
  actsNext: z.string(),
  explanation: z.string(),
  until: z.string().nullable(),
});
const task = z.object({
  projectKey: z.string().nullable(),
  state: z.string(),
  reported: z.string().nullable(),
  rounds: z.array(z.unknown()),
  verification: z
    .object({
      user: z.string(),
      sessions: z.string(),
      live: z.string(),
      sessionsFound: z.number().nullable(),
    })
    .nullable(),
  storageCheckNeeded: z.boolean(),
  waiting: waiting.nullable(),
});

/** The part of a request, as the API shows it, that people are shown. JSON is passed on whole. */
export const shownRequest = z.object({
  id: z.string(),
  state: z.string(),
  regulation: z.string(),
  connection: z.string().nullable(),
  reference: z.string().nullable(),
  receivedAt: z.string(),
  clock: z.object({ dueOn: z.string(), daysLeft: z.number().nullable() }).nullable(),
  completedAt: z.string().nullable(),
  type: z.string().optional(),
  accessPackage: z
    .object({ state: z.string(), expiresAt: z.string().nullable(), gaps: z.number().nullable() })
    .nullish(),
  waiting: waiting.nullable(),
  forecast: z.object({ expectedAt: z.string().nullable(), confidence: z.string().nullable() }).nullable(),
  tasks: z.array(task),
});
export type ShownRequest = z.output<typeof shownRequest>;

/** One request in some lines. */
export function requestText(request: ShownRequest, output: Output): string {
  const facts: readonly (readonly [string, string | null | undefined])[] = [
    ['asks for', request.type === 'erasure' ? null : request.type?.replaceAll('_', ' ')],
    ['package', packageText(request)],
    ['reference', request.reference],
    ['regulation', request.regulation],
    ['connection', request.connection ?? 'all'],
    ['received', shortTime(request.receivedAt)],
    ['due', dueText(request)],
    ['expected', expectedText(request)],
    ['completed', request.completedAt === null ? null : shortTime(request.completedAt)],
    ['waits for', waitingText(request)],
    ['acts next', request.waiting?.actsNext.replaceAll('_', ' ')],
  ];
  const lines = facts.flatMap(([name, value]) => {
    if (value === null || value === undefined) return [];
    return [`  ${name.padEnd(11)} ${wrapped(value, output.width - 14, ' '.repeat(14))}`];
  });
  const head = `${request.id}  ${paintedState(request.state, output)}`;
  return [head, ...lines, ...taskLines(request, output)].join('\n');
}

function dueText({ clock }: ShownRequest): string | null {
  if (clock === null) return null;
  return clock.daysLeft === null ? clock.dueOn : `${clock.dueOn} (${clock.daysLeft} d left)`;
}

function expectedText({ forecast }: ShownRequest): string | null {
  if (forecast?.expectedAt == null) return null;
  return `${shortTime(forecast.expectedAt)} (${forecast.confidence ?? 'assumed'})`;
}

/** What has become of the access package, and until when it can be had. */
function packageText({ accessPackage: kept }: ShownRequest): string | null {
  if (kept === null || kept === undefined) return null;
  const until =
    kept.state === 'ready' && kept.expiresAt !== null ? ` until ${shortTime(kept.expiresAt)}` : '';
  const gaps = kept.gaps === null || kept.gaps === 0 ? '' : `, ${kept.gaps} things could not be read`;
  return `${kept.state}${until}${gaps}`;
}

/** Why a request waits, in one sentence. */
export function waitingText({ waiting: waits }: Pick<ShownRequest, 'waiting'>): string | null {
  if (waits === null) return null;
  return waits.until === null
    ? waits.explanation
    : `${waits.explanation} Next look ${shortTime(waits.until)}.`;
}

const TASK_COLUMNS = [
  { title: 'project' },
  { title: 'state' },
  { title: 'rounds' },
  { title: 'reported', flexible: true },
  { title: 'seen by Lethe', flexible: true },
];

function taskLines({ tasks }: ShownRequest, output: Output): string[] {
  if (tasks.length === 0) return [];
  const rows = tasks.map((one) => [
    one.projectKey ?? '–',
    one.state,
    String(one.rounds.length),
    one.reported ?? '–',
    seenText(one),
  ]);
  return ['', table(TASK_COLUMNS, rows, output.width)];
}

function seenText({ verification, storageCheckNeeded }: z.output<typeof task>): string {
  if (verification === null) return 'not yet';
  const { user, sessions, sessionsFound } = verification;
  const count = sessionsFound === null || sessionsFound === 0 ? '' : ` (${sessionsFound})`;
  return `user ${user}, sessions ${sessions}${count}${storageCheckNeeded ? ', check storage' : ''}`;
}

const COLOURS: Readonly<Record<string, 'green' | 'yellow' | 'red'>> = {
  completed: 'green',
  needs_attention: 'red',
  refused: 'red',
  cancelled: 'yellow',
  awaiting_identity: 'yellow',
  awaiting_approval: 'yellow',
  on_hold: 'yellow',
};

function paintedState(state: string, output: Output): string {
  const colour = COLOURS[state];
  return colour === undefined ? state : output.paint(colour, state);
}

const LIST_COLUMNS = [
  { title: 'id' },
  { title: 'state' },
  { title: 'received' },
  { title: 'reference', flexible: true },
];

/** Many requests, a line each. */
export function listRequests(requests: readonly ShownRequest[], output: Output): void {
  const row = ({ id, state, receivedAt, reference }: ShownRequest) => [
    id,
    state,
    receivedAt.slice(0, 10),
    reference ?? '–',
  ];
  output.table(LIST_COLUMNS, requests.map(row));
}
