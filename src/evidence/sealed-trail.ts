/** An event as it is read back from its bytes, for those who verify without any package. */
export interface TrailEvent {
  readonly requestId: string;
  readonly seq: number;
  /** RFC 3339 in UTC. */
  readonly at: string;
  readonly type: string;
  readonly actor: string;
  readonly taskId: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Reads an event of a request from its canonical text.
 *
 * @throws TypeError that names what is missing
 */
export function readTrailEvent(text: string): TrailEvent {
  const event: unknown = JSON.parse(text);
  if (!isRecord(event)) throw new TypeError('an event is a JSON object');
  const { seq, data, task_id: taskId } = event;
  if (typeof seq !== 'number') throw new TypeError('an event has a seq');
  if (!isRecord(data)) throw new TypeError('an event has data');
  return {
    seq,
    data,
    taskId: typeof taskId === 'string' ? taskId : null,
    requestId: textOf(event, 'request_id'),
    at: textOf(event, 'at'),
    type: textOf(event, 'type'),
    actor: textOf(event, 'actor'),
  };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws TypeError when it is no text */
export function textOf(record: Readonly<Record<string, unknown>>, key: string): string {
  const value = record[key];
  if (typeof value !== 'string') throw new TypeError(`"${key}" is missing`);
  return value;
}

/** Null where it is no text. */
export function maybeText(record: Readonly<Record<string, unknown>>, key: string): string | null {
  const value = record[key];
  return typeof value === 'string' ? value : null;
}

/** Null where it is no number. */
export function maybeNumber(record: Readonly<Record<string, unknown>>, key: string): number | null {
  const value = record[key];
  return typeof value === 'number' ? value : null;
}
