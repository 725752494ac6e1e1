import canonicalize from 'canonicalize';
import type { AuditEvent, EventData, EventValue } from '../domain/events.ts';
import { LetheError } from '../domain/errors.ts';

/** The version of the event format, written into every event. */
const EVENT_FORMAT = 1;

/**
 * The exact bytes of an audit event: RFC 8785 JSON in UTF-8. These bytes are what is stored, hashed and exported,
 * so nothing that different writers could write differently is let in.
 *
 * @throws LetheError EVENT_NOT_CANONICAL for floats, unsafe integers, lone surrogates or U+0000
 */
export function encodeEvent(event: AuditEvent): Uint8Array {
  const shape: EventData = {
    v: EVENT_FORMAT,
    request_id: event.requestId,
    seq: event.seq,
    at: event.at,
    type: event.type,
    actor: event.actor.kind === 'lethe' ? 'lethe' : `api_key:${event.actor.id}`,
    task_id: event.taskId ?? null,
    change: event.change ?? null,
    data: event.data ?? {},
  };
  assertCanonical(shape, event.type);
  const text = canonicalize(shape);
  if (text === undefined) throw notCanonical(event.type);
  return Buffer.from(text, 'utf8');
}

function assertCanonical(value: EventValue, path: string): void {
  if (typeof value === 'string') {
    if (!value.isWellFormed() || value.includes('\u0000')) throw notCanonical(path);
  } else if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw notCanonical(path);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      assertCanonical(key, path);
      assertCanonical(item, `${path}.${key}`);
    }
  }
}

function notCanonical(path: string): LetheError {
  return new LetheError(
    'EVENT_NOT_CANONICAL',
    `An audit event holds a value that has no canonical form, at ${path}.`,
  );
}
