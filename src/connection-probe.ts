import type { Connection, Log } from './app/ports.ts';

/** What the last look at an OpenReplay server showed. */
export interface Probe {
  readonly connection: string;
  readonly ok: boolean;
  /** The kind of failure, or how many projects it listed. */
  readonly detail: string;
  /** RFC 3339; null before the first look. */
  readonly at: string | null;
}

const INTERVAL_MS = 60_000;

/** Looks at every connection when it starts and once a minute, and tells of each change in the log. */
export class ConnectionProbe {
  private readonly last = new Map<string, Probe>();
  private readonly timer: NodeJS.Timeout;
  private readonly connections: ReadonlyMap<string, Connection>;
  private readonly log: Log;

  constructor(connections: ReadonlyMap<string, Connection>, log: Log) {
    this.connections = connections;
    this.log = log;
    void this.lookAtAll();
    this.timer = setInterval(() => void this.lookAtAll(), INTERVAL_MS);
    this.timer.unref();
  }

  /** The last look at each connection. */
  get probes(): readonly Probe[] {
    return [...this.connections.keys()].map(
      (connection) =>
        this.last.get(connection) ?? { connection, ok: false, detail: 'not looked at yet', at: null },
    );
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async lookAtAll(): Promise<void> {
    await Promise.all([...this.connections.values()].map((connection) => this.lookAt(connection)));
  }

  private async lookAt({ name, api }: Connection): Promise<void> {
    const read = await api.listProjects();
    const detail = read.ok ? `${read.value.length} projects` : read.failure.kind;
    const before = this.last.get(name);
    this.last.set(name, { connection: name, ok: read.ok, detail, at: new Date().toISOString() });
    if (before?.ok === read.ok && before.detail === detail) return;
    if (read.ok) this.log.info({ connection: name, detail }, 'OpenReplay answers');
    else this.log.error({ connection: name, detail }, 'OpenReplay cannot be used');
  }
}
