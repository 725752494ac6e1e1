import type { Connection } from '../src/app/ports.ts';
import type { Outcome, Page, RemoteSession, UserAddress } from '../src/domain/openreplay.ts';
import type { WorkerContext } from './context.ts';

/** Only some servers have live sessions; one that has none is not asked again for every task. */
export async function readLiveSessions(
  context: Pick<WorkerContext, 'memory'>,
  connection: Connection,
  user: UserAddress,
): Promise<Outcome<Page<RemoteSession>>> {
  if (context.memory.offersNoLiveSessions(connection.name)) {
    return { ok: false, failure: { kind: 'not_available', status: 404 } };
  }
  const read = await connection.api.listLiveSessions(user.projectKey, user.userId);
  if (!read.ok && read.failure.kind === 'not_available') context.memory.noteNoLiveSessions(connection.name);
  return read;
}
