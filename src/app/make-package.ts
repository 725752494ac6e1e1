import { createHash } from 'node:crypto';
import { gapsOf, MANIFEST_ABOUT, type Manifest, type ManifestFile } from '../domain/access-package.ts';
import { LETHE, type Actor, type EventDraft } from '../domain/events.ts';
import { requestMoved, rollUp, type ErasureRequest, type RequestAttention } from '../domain/request.ts';
import type { Task } from '../domain/task.ts';
import { moved } from '../domain/task-step.ts';
import type { NextWork } from '../domain/work.ts';
import { movingRequest } from './closing.ts';
import { encodeEvents } from './encode-events.ts';
import { submitWork } from './new-work.ts';
import { packedTasks, type PackedFile } from './package-files.ts';
import type { Deps, RequestPatch, RequestScope, Transaction, Work } from './ports.ts';

/**
 * Puts a package together once everything is gathered: reads it all once more for the manifest, makes it ready, and lets
 * its request go on: to its end, to the deletion, or to a person where something could not be read.
 *
 * @returns whether it was written
 */
export async function makePackage(deps: Deps, work: Work): Promise<boolean> {
  const scope = await deps.store.findScope(work.requestId);
  if (scope === undefined) throw new Error('work names no known request');
  const made = await manifestOf(deps, scope);
  const written = await deps.store.withRequest(work.requestId, async (tx, now) =>
    now === undefined ? false : writeReady(tx, deps, { scope: now, work, made }),
  );
  if (written) deps.workIsDue();
  return written;
}

interface Made {
  readonly manifest: Manifest;
  readonly bytes: number;
  readonly gaps: number;
}

async function manifestOf(deps: Deps, { request, tasks, dataKey }: RequestScope): Promise<Made> {
  const packed = await packedTasks(deps, request.id, deps.vault.boxOf(dataKey));
  const files: ManifestFile[] = [];
  for (const file of packed.flatMap((task) => task.files)) files.push(await measured(file));
  const unread = tasks.filter((task) => task.state === 'unroutable');
  const gathered = packed.map(({ taskId, folder, progress }) => {
    const task = tasks.find((other) => other.id === taskId);
    const { userKnown, sessions, events, gaps } = progress;
    return { folder, ...placeOf(task), userKnown, sessions, events, gaps };
  });
  const unroutable = unread.map((task) => ({
    folder: '',
    ...placeOf(task),
    userKnown: null,
    sessions: 0,
    events: 0,
    gaps: [{ what: 'user', reason: 'unroutable', count: 1 } as const],
  }));
  const manifest: Manifest = {
    v: 1,
    requestId: request.id,
    gatheredAt: deps.now().toISOString(),
    about: MANIFEST_ABOUT,
    projects: [...gathered, ...unroutable],
    files,
  };
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const gaps = manifest.projects.reduce((sum, project) => sum + gapsOf(project), 0);
  return { manifest, bytes, gaps };
}

function placeOf(task: Task | undefined): { connection: string; projectKey: string | null } {
  if (task === undefined) throw new Error('a package of no task');
  return { connection: task.connection, projectKey: task.projectKey };
}

async function measured({ name, pieces }: PackedFile): Promise<ManifestFile> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const piece of pieces()) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { name, bytes, sha256: hash.digest('hex') };
}

interface Readying {
  readonly scope: RequestScope;
  readonly work: Work;
  readonly made: Made;
}

async function writeReady(tx: Transaction, deps: Deps, { scope, work, made }: Readying): Promise<boolean> {
  const { request, dataKey } = scope;
  const expiresAt = new Date(tx.now.getTime() + deps.access.expiresAfterMs);
  const keep: NextWork = {
    kind: 'expire_package',
    at: expiresAt.getTime(),
    reason: 'package_kept',
    attempts: 0,
  };
  const data = {
    files: made.manifest.files.length,
    bytes: made.bytes,
    gaps: made.gaps,
    expires_at: expiresAt.toISOString(),
  };
  const ready: EventDraft = { type: 'package.ready', actor: LETHE, data };
  const written = await tx.write(request.id, {
    work: { lease: work, next: keep },
    events: encodeEvents(deps, { request, now: tx.now }, [ready]),
  });
  if (!written) return false;
  const manifestSealed = deps.vault
    .boxOf(dataKey)
    .sealText(request.id, JSON.stringify(made.manifest), 'manifest');
  const { bytes, gaps } = made;
  await tx.readyPackage({ requestId: request.id, bytes, gaps, expiresAt, manifestSealed });
  await goOn(tx, deps, {
    scope: { ...scope, request: { ...request, eventCount: request.eventCount + 1 } },
    incomplete: gaps > 0,
  });
  return true;
}

/**
 * Takes a request on whose package is ready, or was accepted as it is. The deletion begins here and nowhere else for who
 * asked for access as well; a legal hold on the subject is looked at now, since until now nothing could be lost.
 *
 * @param of.incomplete hands the request to a person
 */
export async function goOn(
  tx: Transaction,
  deps: Deps,
  of: { scope: RequestScope; incomplete: boolean; actor?: Actor },
): Promise<void> {
  const { scope, actor = LETHE } = of;
  if (of.incomplete) await stop(tx, deps, scope.request);
  else if (scope.request.type === 'access') await provide(tx, deps, { ...scope, actor });
  else await erase(tx, deps, { ...scope, actor });
}

async function stop(tx: Transaction, deps: Deps, request: ErasureRequest): Promise<void> {
  const attention: RequestAttention = 'package_incomplete';
  const held = request.state === 'on_hold';
  const data = { reason: attention };
  await tx.write(request.id, {
    request: {
      from: [request.state],
      patch: held ? { heldFrom: 'needs_attention', attention } : { state: 'needs_attention', attention },
    },
    events: encodeEvents(
      deps,
      { request, now: tx.now },
      held ? [] : [requestMoved(request, 'needs_attention', { data })],
    ),
  });
}

/** Who asked for access alone has got it: the tasks end as gathered, whatever could never be asked for stays as it is. */
async function provide(
  tx: Transaction,
  deps: Deps,
  { request, tasks, actor }: RequestScope & { actor: Actor },
): Promise<void> {
  let trail = request;
  for (const task of tasks.filter(({ state }) => state === 'pending')) {
    await tx.write(request.id, {
      task: { id: task.id, from: ['pending'], patch: { state: 'gathered' } },
      events: encodeEvents(deps, { request: trail, now: tx.now }, [
        moved(task, { to: 'gathered', type: 'task.provided' }),
      ]),
    });
    trail = { ...trail, eventCount: trail.eventCount + 1 };
  }
  const outcome = 'access_provided' as const;
  await tx.write(request.id, {
    ...movingRequest(
      deps,
      { request, now: tx.now },
      { from: [request.state], patch: { state: 'completed', attention: null, completedAt: tx.now, outcome } },
    ),
    events: encodeEvents(deps, { request: trail, now: tx.now }, [
      requestMoved(request, 'completed', { actor, data: { outcome } }),
    ]),
  });
}

async function erase(
  tx: Transaction,
  deps: Deps,
  { request, tasks, standingHold, actor }: RequestScope & { actor: Actor },
): Promise<void> {
  if (request.state === 'on_hold') {
    await tx.write(request.id, {
      request: { from: ['on_hold'], patch: { heldFrom: 'erasing', attention: null } },
      events: [],
    });
    return;
  }
  const erasing: ErasureRequest = { ...request, state: 'erasing', attention: null };
  const drafts = [requestMoved(request, 'erasing', { actor })];
  let patch: RequestPatch = { state: 'erasing', attention: null };
  const move = rollUp(erasing, tasks);
  if (standingHold) {
    drafts.push(requestMoved(erasing, 'on_hold', { data: { held_by: 'standing_hold' } }));
    patch = { ...patch, state: 'on_hold', heldFrom: 'erasing', heldBy: 'standing_hold' };
  } else if (move !== undefined) {
    drafts.push(move.event);
    patch = { state: move.to, attention: move.attention };
  }
  await tx.write(request.id, {
    request: { from: [request.state], patch },
    events: encodeEvents(deps, { request, now: tx.now }, drafts),
  });
  if (standingHold) return;
  await tx.insertWork(
    submitWork(
      tasks.filter(({ state }) => state === 'pending'),
      tx.now,
    ),
  );
}
