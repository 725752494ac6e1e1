import { forecast, latestForecast, SESSIONS_PER_ROUND, type Forecast } from '../domain/forecast.ts';
import type { ForecastPosition } from '../domain/forecast.ts';
import type { ErasureRequest } from '../domain/request.ts';
import { isOpenTaskState, isTerminalRequestState } from '../domain/states.ts';
import { currentRound, type Round, type Task } from '../domain/task.ts';
import type { Deps, ObservedRounds, RequestWithTasks, Waiting } from './ports.ts';
import type { ForecastView, WaitingView } from './request-schema.ts';

export type ForecastDeps = Pick<Deps, 'pace' | 'connections' | 'now'>;

/** A request as it stands, and what a forecast of its end needs to know besides. */
export interface ForecastSource {
  readonly from: RequestWithTasks;
  /** What the request waits for, as it is shown. */
  readonly waiting: WaitingView | null;
  readonly observed: ObservedRounds;
}

/** Where a task (or the request itself, in a connection) stands, and how many sessions are still there. */
interface Standing {
  readonly connection: string;
  readonly position: ForecastPosition;
  readonly sessions: number | null;
}

/** When the request can be expected to be erased; undefined once it is closed or about to be cancelled, and
 * where nothing is to be erased. */
export function forecastOf(deps: ForecastDeps, source: ForecastSource): Forecast | undefined {
  const { request } = source.from;
  if (isTerminalRequestState(request.state) || request.cancelRequestedAt !== null) return undefined;
  if (request.type === 'access') return undefined;
  const { pace } = deps;
  const now = deps.now();
  const forecasts = standingsOf(deps, source).map(({ connection, position, sessions }) =>
    forecast({ position, sessions, observed: source.observed.get(connection) ?? [], now, pace }),
  );
  return latestForecast(forecasts);
}

function standingsOf(deps: ForecastDeps, { from, waiting }: ForecastSource): readonly Standing[] {
  const { request, tasks } = from;
  const whole = wholePosition(request, waiting);
  if (whole !== undefined) return [{ connection: '', position: whole, sessions: null }];
  const work = (taskId: string | null) => from.waiting.find((one) => one.taskId === taskId);
  if (tasks.length > 0) {
    const open = tasks.filter((task) => isOpenTaskState(task.state));
    return open.map((task) => standingOf(task, work(task.id)));
  }
  // Not discovered yet: a round at least, in whatever connection is the slowest.
  const names = request.connection === null ? [...deps.connections.keys()] : [request.connection];
  const position: ForecastPosition = { kind: 'queued', notBefore: dueAt(work(null)) };
  return names.map((connection) => ({ connection, position, sessions: null }));
}

/** Of a request that only a person moves on. */
function wholePosition(request: ErasureRequest, waiting: WaitingView | null): ForecastPosition | undefined {
  switch (request.state) {
    case 'on_hold':
      return { kind: 'on_hold' };
    case 'awaiting_identity':
    case 'awaiting_approval':
    case 'needs_attention':
      return { kind: 'waits_for_person', why: waiting?.explanation ?? '' };
    default:
      return undefined;
  }
}

function standingOf(task: Task, work: Waiting | undefined): Standing {
  const { connection } = task;
  const round = currentRound(task);
  if (task.state === 'submitted' && round !== undefined) {
    return { connection, position: running(round), sessions: round.sessionsBefore };
  }
  if (task.state === 'verifying') {
    const nextLookAt = dueAt(work) ?? new Date(0);
    return { connection, position: { kind: 'verifying', nextLookAt }, sessions: sessionsAfterRound(task) };
  }
  const sessions = task.verification?.sessionsFound ?? round?.sessionsBefore ?? null;
  return { connection, position: { kind: 'queued', notBefore: dueAt(work) }, sessions };
}

function running({ submittedAt, intendedAt, startAt }: Round): ForecastPosition {
  return {
    kind: 'running',
    submittedAt: new Date(submittedAt ?? intendedAt),
    startAt: startAt === null ? null : new Date(startAt),
  };
}

/** As seen since the round ended, else as many fewer as one round takes away. */
function sessionsAfterRound({ verification, verifyingSince, rounds }: Task): number | null {
  const seen = verification !== null && verifyingSince !== null && verification.verifiedAt >= verifyingSince;
  if (seen) return verification.sessionsFound;
  const before = rounds.at(-1)?.sessionsBefore ?? null;
  return before === null ? null : Math.max(0, before - SESSIONS_PER_ROUND);
}

/** When the work is due. Of work in a worker's hands the time is only the end of its lease. */
function dueAt(work: Waiting | undefined): Date | null {
  return work === undefined || work.held ? null : work.runAt;
}

const MINUTE_MS = 60_000;

/** A forecast as people see it, to the minute. */
export function forecastView(found: Forecast | undefined): ForecastView | null {
  if (found === undefined) return null;
  if (found.expectedAt === null) return { expectedAt: null, confidence: null, words: found.words };
  const minute = new Date(Math.ceil(found.expectedAt.getTime() / MINUTE_MS) * MINUTE_MS);
  return {
    expectedAt: minute.toISOString(),
    confidence: found.confidence,
    words: found.basis.words,
  };
}
