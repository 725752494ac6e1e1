/** A string (skipped as a whole, so that digits inside it are left alone) or a number of a JSON text. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;
const MAY_HOLD_LONG_INTEGER = /(?:^|[\s:,[-])\d{16}/;
const INTEGER = /^-?\d+$/;

/**
 * Reads JSON text; `undefined` when it is none. Integers too large for a JavaScript number come as text, since
 * ids are 64-bit integers on real servers and a rounded id is the id of something else.
 */
export function readJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    if (!MAY_HOLD_LONG_INTEGER.test(text)) return value;
    return JSON.parse(text.replace(STRING_OR_NUMBER, quoteUnsafeInteger));
  } catch {
    return undefined;
  }
}

function quoteUnsafeInteger(token: string): string {
  const exact = !INTEGER.test(token) || Number.isSafeInteger(Number(token));
  return exact ? token : `"${token}"`;
}
