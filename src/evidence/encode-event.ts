import canonicalize from 'canonicalize';
import type { Actor, AdminEvent, AuditEvent, EventData } from '../domain/events.ts';
import { LetheError } from '../domain/errors.ts';

/** The version of the event format, written into every event. */
const EVENT_FORMAT = 1;

/**
 * The exact bytes of an audit event, of a request's trail or of that of API keys: RFC 8785 JSON in UTF-8. These bytes
 * are what is stored, hashed and exported, so nothing that different writers could write differently is let in.
 *
 * @throws LetheError EVENT_NOT_CANONICAL for floats, unsafe integers, lone surrogates, U+0000, or anything but plain
 *   objects, arrays and JSON's own values
 */
export function encodeEvent(event: AuditEvent | AdminEvent): Uint8Array {
  const shape = 'requestId' in event ? shapeOf(event) : adminShape(event);
  assertCanonical(shape, event.type);
  const text = canonicalize(shape);
  if (text === undefined) throw notCanonical(event.type);
  return Buffer.from(text, 'utf8');
}

function shapeOf(event: AuditEvent): EventData {
  return {
    v: EVENT_FORMAT,
    request_id: event.requestId,
    seq: event.seq,
    at: event.at,
    type: event.type,
    actor: actorText(event.actor),
    task_id: event.taskId ?? null,
    change: event.change ?? null,
    data: event.data ?? {},
  };
}

function adminShape(event: AdminEvent): EventData {
  return {
    v: EVENT_FORMAT,
    seq: event.seq,
    at: event.at,
    type: event.type,
    actor: actorText(event.actor),
    ...(event.keyId !== undefined && { key_id: event.keyId }),
    ...(event.holdId !== undefined && { hold_id: event.holdId }),
    ...(event.callbackId !== undefined && { callback_id: event.callbackId }),
    ...(event.connection !== undefined && { connection: event.connection }),
    data: event.data ?? {},
  };
}

function actorText(actor: Actor): string {
  return actor.kind === 'api_key' ? `api_key:${actor.id}` : actor.kind;
}

/** Trusts no type: what canonicalize would leave out, or ask for its own JSON, is refused like what it cannot write. */
function assertCanonical(value: unknown, path: string): void {
  if (value === null || typeof value === 'boolean') return;
  const canonical =
    typeof value === 'string'
      ? value.isWellFormed() && !value.includes('\u0000')
      : typeof value === 'number'
        ? Number.isSafeInteger(value)
        : Array.isArray(value) || isPlainObject(value);
  if (!canonical) throw notCanonical(path);
  if (typeof value !== 'object') return;
  for (const [key, item] of Object.entries(value)) {
    assertCanonical(key, path);
    assertCanonical(item, `${path}.${key}`);
  }
}

/** Told by the chain of prototypes and not by identity: an object of another realm (a test's) is as plain. */
function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if ('toJSON' in value && typeof value.toJSON === 'function') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function notCanonical(path: string): LetheError {
  return new LetheError(
    'EVENT_NOT_CANONICAL',
    `An audit event holds a value that has no canonical form, at ${path}.`,
  );
}
