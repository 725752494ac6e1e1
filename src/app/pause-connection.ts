import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { CLOSING_REASONS } from '../domain/connection-mood.ts';
import type { Actor, AdminEventDraft } from '../domain/events.ts';
import { GATE_READ_MS } from './connection-gate.ts';
import type { Deps } from './ports.ts';
import type { ConnectionRow } from './ports/gate.ts';
import { recordAdminEvent } from './record-admin-event.ts';
import { time } from './request-schema.ts';

export const connectionView = z
  .strictObject({
    name: z.string(),
    state: z.enum(['open', 'paused', 'shut', 'on_trial']).meta({
      description:
        '`paused` by a person; `shut` by Lethe for a while, since the server fails or asked for it; `on_trial`: one call at a time, until one succeeds.',
    }),
    pausedAt: time.nullable(),
    pausedBy: z.string().nullable().meta({ description: 'Id of an API key.' }),
    pauseReason: z.string().nullable(),
    shutReason: z.enum(CLOSING_REASONS).nullable(),
    shutUntil: time.nullable(),
    failures: z.int().min(0).meta({ description: 'Calls that failed in a row.' }),
  })
  .meta({ id: 'Connection', description: 'One OpenReplay server, and whether calls leave for it.' });
export type ConnectionView = z.infer<typeof connectionView>;

export const connectionList = z
  .strictObject({ items: z.array(connectionView) })
  .meta({ id: 'ConnectionList' });

interface Command {
  readonly name: string;
  readonly reason: string;
  readonly apiKeyId: string;
}

/**
 * The stop button: once this has come back, no process sends anything more to the server. What was sent before may still
 * be answered, and is written down. A second time changes nothing.
 *
 * @returns undefined when no connection of this name is configured
 */
export async function pauseConnection(deps: Deps, command: Command): Promise<ConnectionView | undefined> {
  const { name, reason, apiKeyId } = command;
  if (!deps.connections.has(name)) return undefined;
  const reasonSealed = deps.vault.lasting.sealText(name, reason, 'reason');
  await deps.store.transaction(async (tx) => {
    if (!(await tx.pauseConnection({ name, by: apiKeyId, at: tx.now, reasonSealed }))) return;
    await recordAdminEvent(tx, deps, eventOf('connection.paused', command));
  });
  // Every process has looked again by then.
  await sleep(GATE_READ_MS * 2);
  return showConnection(deps, name);
}

/** Lets calls leave again, also for a server that Lethe had left alone by itself. A second time changes nothing. */
export async function resumeConnection(deps: Deps, command: Command): Promise<ConnectionView | undefined> {
  const { name } = command;
  if (!deps.connections.has(name)) return undefined;
  await deps.store.transaction(async (tx) => {
    if (!(await tx.resumeConnection(name))) return;
    await recordAdminEvent(tx, deps, eventOf('connection.resumed', command));
  });
  deps.workIsDue();
  return showConnection(deps, name);
}

function eventOf(type: AdminEventDraft['type'], { name, apiKeyId }: Command): AdminEventDraft {
  const actor: Actor = { kind: 'api_key', id: apiKeyId };
  return { type, actor, connection: name };
}

async function showConnection(deps: Deps, name: string): Promise<ConnectionView> {
  const [row = untroubled(name)] = await deps.store.listConnectionStates([name]);
  return viewOf(deps, row);
}

/** Every configured connection, in the order of the configuration. */
export async function listConnections(deps: Deps): Promise<readonly ConnectionView[]> {
  const names = [...deps.connections.keys()];
  const rows = await deps.store.listConnectionStates(names);
  return names.map((name) => viewOf(deps, rows.find((row) => row.name === name) ?? untroubled(name)));
}

/** What has no row yet. */
function untroubled(name: string): ConnectionRow {
  return {
    ...{ name, pausedAt: null, pausedBy: null, reasonSealed: null },
    ...{ shutReason: null, shutUntil: null, isShut: false, failures: 0 },
  };
}

function viewOf({ vault }: Pick<Deps, 'vault'>, row: ConnectionRow): ConnectionView {
  return {
    name: row.name,
    state: stateOf(row),
    pausedAt: row.pausedAt?.toISOString() ?? null,
    pausedBy: row.pausedBy,
    pauseReason: row.reasonSealed && vault.lasting.openText(row.name, row.reasonSealed, 'reason'),
    shutReason: row.shutReason,
    shutUntil: row.shutUntil?.toISOString() ?? null,
    failures: row.failures,
  };
}

function stateOf(row: ConnectionRow): ConnectionView['state'] {
  if (row.pausedAt !== null) return 'paused';
  if (row.shutUntil === null) return 'open';
  return row.isShut ? 'shut' : 'on_trial';
}
