import type { Connection } from '../src/app/ports.ts';
import type { Outcome } from '../src/domain/openreplay.ts';

/** How long what a server was seen to offer is believed. */
const REMEMBER_MS = 300_000;

/** What this process remembers of each server, so that it need not ask again for every task. */
export class ServerMemory {
  private readonly projects = new Map<string, { keys: readonly string[]; until: number }>();
  private readonly withoutLive = new Map<string, number>();

  /** The keys of the tenant's projects; asked anew when `fresh` or long ago. */
  readonly listProjectKeys = async (
    connection: Connection,
    fresh: boolean,
  ): Promise<Outcome<readonly string[]>> => {
    const known = this.projects.get(connection.name);
    if (!fresh && known !== undefined && known.until > Date.now()) return { ok: true, value: known.keys };
    const read = await connection.api.listProjects();
    if (!read.ok) return read;
    const keys = read.value.map((project) => project.projectKey);
    this.projects.set(connection.name, { keys, until: Date.now() + REMEMBER_MS });
    return { ok: true, value: keys };
  };

  /** Whether the server was seen, not long ago, to offer no live sessions. */
  offersNoLiveSessions(connection: string): boolean {
    return (this.withoutLive.get(connection) ?? 0) > Date.now();
  }

  noteNoLiveSessions(connection: string): void {
    this.withoutLive.set(connection, Date.now() + REMEMBER_MS);
  }
}
