/** What one look at one part showed. Texts hold no secret: neither keys nor passwords nor whole URLs of databases. */
export interface Finding {
  /** What was looked at: `database`, `connection default`. */
  readonly part: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  /** One plain sentence. */
  readonly saw: string;
  /** What to do about it; null where nothing is to be done. */
  readonly todo: string | null;
}

export function ok(part: string, saw: string): Finding {
  return { part, verdict: 'ok', saw, todo: null };
}

export function warn(part: string, saw: string, todo: string): Finding {
  return { part, verdict: 'warn', saw, todo };
}

export function fail(part: string, saw: string, todo: string): Finding {
  return { part, verdict: 'fail', saw, todo };
}

/** Another clock, against this machine's. */
export interface ClockReading {
  /** Whose: `the database`, `OpenReplay (default)`. */
  readonly whose: string;
  /** How far it is ahead of ours; right to about a second. */
  readonly offsetMs: number;
  /** It runs on this machine, so it is no second opinion. */
  readonly sameMachine: boolean;
}

/** A look at a part, with its clock where it has one. */
export interface Look {
  readonly findings: readonly Finding[];
  readonly clock: ClockReading | undefined;
}

/** The `code` of an error of Node, pg or ioredis, or its first words that look like one. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'message' in error && typeof error.message === 'string' ? error.message : '';
}
