import {
  gapsOf,
  nothingGathered,
  PACKAGE_FILES,
  type PackageFile,
  type Progress,
} from '../domain/access-package.ts';
import type { EventDraft } from '../domain/events.ts';
import { afterRead, nextRead, type Gathered, type NextRead, type ReadAnswer } from '../domain/gather-step.ts';
import type { CallFailure } from '../domain/openreplay.ts';
import { delayed, noted, type StepContext } from '../domain/task-step.ts';
import type { NextWork } from '../domain/work.ts';
import type { BegunStep } from './begin-task-step.ts';
import { contextOf } from './commit-task-step.ts';
import { encodeEvents } from './encode-events.ts';
import { packageWork } from './new-work.ts';
import { openProgress } from './package-progress.ts';
import type { Connection, Deps, RequestScope, Transaction } from './ports.ts';
import type { PackagePart } from './ports/packages.ts';
import type { Box } from './ports/vault.ts';

/** Plain bytes of a step, after which it hands over to the next: bounds memory, and the size of a piece. */
const BYTES_PER_STEP = 1_000_000;
const BEGINNING = 946_684_800_000;
const DAY_MS = 86_400_000;

/** What a step has read. */
interface Piece {
  readonly progress: Progress;
  readonly texts: ReadonlyMap<PackageFile, readonly string[]>;
  /** Something was read, whether it has text or not. */
  readonly advanced: boolean;
  readonly failure: CallFailure | undefined;
}

/**
 * Reads the next piece of what OpenReplay holds of a task's user, and keeps it, sealed, together with how far it has come:
 * a step that is lost has kept nothing, and the next one reads the same piece.
 *
 * @returns whether the piece was kept
 */
export async function gatherTask(deps: Deps, begun: BegunStep, connection: Connection): Promise<boolean> {
  const { work } = begun;
  const kept = (await deps.store.listPackageTasks(work.requestId)).find(
    ({ taskId }) => taskId === work.taskId,
  );
  if (kept === undefined) throw new Error('a task of no package');
  const from =
    openProgress(deps.vault.boxOf(begun.dataKey), kept) ?? nothingGathered(deps.now().getTime() + DAY_MS);
  const piece = await readPiece(deps, { begun, connection }, from);
  const written = await deps.store.withRequest(work.requestId, async (tx, scope) => {
    if (scope === undefined) return false;
    return keepPiece(tx, deps, { begun, scope, piece });
  });
  if (written) deps.workIsDue();
  return written;
}

interface Reading {
  readonly begun: BegunStep;
  readonly connection: Connection;
}

async function readPiece({ access }: Deps, reading: Reading, from: Progress): Promise<Piece> {
  const texts = new Map<PackageFile, string[]>();
  let progress = from;
  let { attempts } = reading.begun.work;
  let bytes = 0;
  for (let calls = 0; calls < access.callsPerStep && bytes < BYTES_PER_STEP; calls += 1) {
    const next = nextRead(progress);
    if (next === undefined) break;
    const result = afterRead(
      progress,
      await answerTo(reading, next, { progress, limit: access.pageSize }),
      attempts + 1,
    );
    if ('failure' in result) return { progress, texts, advanced: progress !== from, failure: result.failure };
    bytes += addTexts(texts, result.lines);
    ({ progress } = result);
    attempts = 0;
  }
  return { progress, texts, advanced: true, failure: undefined };
}

/** One JSON value a line: JSON escapes line ends, so no text of OpenReplay's makes one. */
function addTexts(texts: Map<PackageFile, string[]>, lines: Gathered['lines']): number {
  let size = 0;
  for (const { file, value } of lines) {
    const text = `${JSON.stringify(value)}\n`;
    size += text.length;
    const before = texts.get(file);
    if (before === undefined) texts.set(file, [text]);
    else before.push(text);
  }
  return size;
}

async function answerTo(
  { begun, connection: { records } }: Reading,
  next: NextRead,
  { progress, limit }: { progress: Progress; limit: number },
): Promise<ReadAnswer> {
  const { projectKey } = begun.task;
  const user = { projectKey, userId: begun.subject.userId };
  const window = {
    startTimestamp: BEGINNING,
    endTimestamp: progress.readUntil,
    // The oldest first: what is recorded meanwhile comes after what was read.
    sortOrder: 'asc' as const,
    limit,
  };
  switch (next.kind) {
    case 'user':
      return { kind: 'user', read: await records.readUser(user) };
    case 'sessions':
      return { kind: 'sessions', read: await records.readSessions(user, { ...window, page: next.page }) };
    case 'events': {
      const { sessionId, page } = next;
      const read = await records.readEvents({ projectKey, sessionId }, { ...window, page });
      return { kind: 'events', sessionId, read };
    }
    default:
      return next satisfies never;
  }
}

interface Keeping {
  readonly begun: BegunStep;
  readonly scope: RequestScope;
  readonly piece: Piece;
}

async function keepPiece(tx: Transaction, deps: Deps, keeping: Keeping): Promise<boolean> {
  const { begun, scope, piece } = keeping;
  const { work, task } = begun;
  const { request } = scope;
  const context = contextOf(deps, {
    ...{ tx, request },
    work: piece.advanced ? { attempts: 0, failingSince: null } : work,
  });
  const done = piece.progress.at === 'done';
  const { next, events } = following(begun, piece, context);
  const written = await tx.write(request.id, {
    work: { lease: work, next },
    events: encodeEvents(deps, { request, now: tx.now }, events),
  });
  if (!written) return false;
  const box = deps.vault.boxOf(begun.dataKey);
  const { parts, progress } = sealed(box, begun, piece);
  await tx.insertPackageParts(parts);
  await tx.writePackageTask({
    taskId: task.id,
    progressSealed: box.sealText(task.id, JSON.stringify(progress), 'progress'),
    gaps: gapsOf(progress),
    gatheredAt: done ? tx.now : null,
  });
  if (!done) return true;
  const left = (await tx.listPackageTasks(request.id)).some(({ gatheredAt }) => gatheredAt === null);
  if (!left) await tx.insertWork([packageWork(deps, request, tx.now)]);
  return true;
}

function following(
  { task }: BegunStep,
  { progress, failure }: Piece,
  context: StepContext,
): { next: NextWork | null; events: readonly EventDraft[] } {
  if (failure !== undefined) return delayed(task, { kind: 'gather', failure }, context);
  if (progress.at !== 'done') {
    return { next: { kind: 'gather', at: context.now, reason: 'queued', attempts: 0 }, events: [] };
  }
  const { sessions, events, userKnown } = progress;
  const data = { user_known: userKnown, sessions, events, gaps: gapsOf(progress) };
  return { next: null, events: [noted(task, 'task.gathered', data)] };
}

function sealed(
  box: Box,
  { task }: BegunStep,
  { progress, texts }: Piece,
): { parts: readonly PackagePart[]; progress: Progress } {
  const counts = { ...progress.parts };
  const parts = PACKAGE_FILES.flatMap((file): PackagePart[] => {
    const lines = texts.get(file);
    if (lines === undefined) return [];
    const place = { requestId: task.requestId, taskId: task.id, file, seq: counts[file] };
    counts[file] += 1;
    return [{ place, sealed: box.sealPart(place, Buffer.from(lines.join(''), 'utf8')) }];
  });
  return { parts, progress: { ...progress, parts: counts } };
}
