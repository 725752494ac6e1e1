import type { CallMood, WithheldReason } from '../domain/connection-mood.ts';
import type { BreakerPace, CallGate, ConnectionState, GateStore, Pass, Withheld } from './ports/gate.ts';
import type { Log } from './ports.ts';

/** How old what this process knows of a server may be: so long may a call still leave after another process shut it. */
export const GATE_READ_MS = 250;
/** Beyond the longest call, until what became of a call on trial must be written. */
const TRIAL_MARGIN_MS = 5_000;
/** When a trial is under way, or nobody knows how long something lasts. */
const SOON_MS = 1_000;
const WHILE_PAUSED_MS = 30_000;

export interface GateOptions {
  readonly name: string;
  readonly store: GateStore;
  readonly pace: BreakerPace;
  /** The least time between two calls of all processes together; 0 for as fast as they come. */
  readonly callIntervalMs: number;
  /** The longest that a call can take. One on trial that is not back by then never comes back: its process was killed. */
  readonly callTimeoutMs: number;
  readonly log: Log;
}

/**
 * The gate before one server, as all processes keep it together over the database: the stop button, `Retry-After`, the
 * circuit breaker and the rate limit. A server that was left alone is tried with one call at a time until one succeeds.
 */
export function createConnectionGate(options: GateOptions): CallGate {
  const { name, store, log } = options;
  const memory = new StateMemory(() => store.readConnectionState(name));
  const turnstile = new Turnstile(
    (count) => store.reserveCalls(name, count, options.callIntervalMs),
    options,
  );
  return {
    enter: async () => {
      try {
        const state = await memory.read();
        if (state.paused) return withheld('connection_paused', WHILE_PAUSED_MS);
        const { shutForMs, shutReason } = state;
        const trial = shutForMs !== null;
        if (trial && !(await mayTry(options, shutForMs)))
          return withheld(shutReason ?? 'internal_error', Math.max(shutForMs, SOON_MS));
        await turnstile.turn();
        return { kind: 'pass', leave: (mood) => left(options, memory, { mood, trial }) } satisfies Pass;
      } catch (error) {
        // Without the database nobody may know whether a call is allowed; and what came of it could not be written.
        log.warn({ err: error, connection: name }, 'the gate of a connection could not be read');
        return withheld('internal_error', SOON_MS);
      }
    },
  };
}

async function mayTry({ store, name, callTimeoutMs }: GateOptions, shutForMs: number): Promise<boolean> {
  return shutForMs <= 0 && (await store.beginTrial(name, callTimeoutMs + TRIAL_MARGIN_MS));
}

function withheld(reason: WithheldReason, forMs: number): Withheld {
  return { kind: 'withheld', reason, untilMs: Date.now() + forMs };
}

async function left(
  { name, store, pace, log }: GateOptions,
  memory: StateMemory,
  { mood, trial }: { mood: CallMood; trial: boolean },
): Promise<void> {
  try {
    if (mood !== 'fine') {
      const state = await store.noteTrouble(name, { ...mood, trial, pace });
      const wasOpen = memory.isOpen;
      memory.keep(state);
      if (state.shutForMs !== null && (trial || wasOpen)) {
        const fields = { connection: name, reason: state.shutReason, forMs: Math.round(state.shutForMs) };
        log.warn(fields, 'OpenReplay is left alone for a while');
      }
    } else if (trial || memory.hasFailures) {
      memory.keep(await store.noteSuccess(name, { trial }));
      if (trial) log.info({ connection: name }, 'OpenReplay answers again');
    }
  } catch (error) {
    log.warn({ err: error, connection: name }, 'could not note how OpenReplay does');
  }
}

/** The state as last read or written; read anew when it is old, by one caller for all that ask meanwhile. */
class StateMemory {
  private state: ConnectionState | undefined;
  private at = 0;
  private readonly load: () => Promise<ConnectionState>;
  private loading: Promise<ConnectionState> | undefined;

  constructor(load: () => Promise<ConnectionState>) {
    this.load = load;
  }

  get hasFailures(): boolean {
    return (this.state?.failures ?? 0) > 0;
  }

  get isOpen(): boolean {
    return this.state?.shutForMs == null;
  }

  async read(): Promise<ConnectionState> {
    const age = Date.now() - this.at;
    if (this.state !== undefined && age < GATE_READ_MS) return aged(this.state, age);
    this.loading ??= this.load().finally(() => {
      this.loading = undefined;
    });
    const state = await this.loading;
    this.keep(state);
    return state;
  }

  keep(state: ConnectionState): void {
    this.state = state;
    this.at = Date.now();
  }
}

function aged(state: ConnectionState, ageMs: number): ConnectionState {
  return state.shutForMs === null ? state : { ...state, shutForMs: state.shutForMs - ageMs };
}

/** Lets calls through one by one at the pace that all processes keep together; places are taken for all that wait. */
class Turnstile {
  private waiting: (() => void)[] = [];
  private failed: ((error: unknown) => void)[] = [];
  private reserving = false;
  private readonly reserve: (count: number) => Promise<number>;
  private readonly intervalMs: number;

  constructor(reserve: (count: number) => Promise<number>, { callIntervalMs }: { callIntervalMs: number }) {
    this.reserve = reserve;
    this.intervalMs = callIntervalMs;
  }

  async turn(): Promise<void> {
    if (this.intervalMs === 0) return;
    const turn = new Promise<void>((resolve, reject) => {
      this.waiting.push(resolve);
      this.failed.push(reject);
    });
    if (!this.reserving) void this.serve();
    await turn;
  }

  private async serve(): Promise<void> {
    this.reserving = true;
    while (this.waiting.length > 0) {
      const [resolves, rejects] = [this.waiting, this.failed];
      this.waiting = [];
      this.failed = [];
      try {
        const firstMs = await this.reserve(resolves.length);
        resolves.forEach((resolve, place) => setTimeout(resolve, firstMs + place * this.intervalMs));
      } catch (error) {
        for (const reject of rejects) reject(error);
      }
    }
    this.reserving = false;
  }
}
