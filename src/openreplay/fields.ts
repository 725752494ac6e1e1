import { z } from 'zod';

/** An id that must be there: a number or a text that is not empty; kept as text. */
export const requiredId = z.union([z.string().min(1), z.int().transform(String)]);

/** An id that anonymous visitors lack: `null` reads as the empty text. */
export const nullableId = z.union([z.string(), z.int().transform(String), z.null().transform(() => '')]);

/** Text that may be absent; a number is kept as text, anything else counts as absent. */
export const optionalText = z.unknown().optional().transform(toText);

/** A whole number (a count, or epoch ms), also as text; absent when it is anything else. */
export const optionalInteger = z.unknown().optional().transform(toInteger);

/** Whether an error field says anything: servers send `null`, `""` and `[]` where nothing is wrong. */
export const errorSignal = z.unknown().optional().transform(saysSomething);

function toText(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' ? value : undefined;
}

const NUMERIC = /^-?\d+(?:\.\d+)?$/;

function toInteger(value: unknown): number | undefined {
  if (typeof value === 'string') return NUMERIC.test(value) ? toInteger(Number(value)) : undefined;
  if (typeof value !== 'number') return undefined;
  const whole = Math.trunc(value);
  return Number.isSafeInteger(whole) ? whole : undefined;
}

function saysSomething(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return false;
  return !(Array.isArray(value) && value.length === 0);
}
