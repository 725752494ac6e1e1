/** JSON Pointers as texts (RFC 6901): `''` is the whole value, `/a~1b/0` the first item of the field `a/b`. */

const POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/;
/** An index of an array: no sign, no leading zero. */
const INDEX = /^(?:0|[1-9][0-9]{0,9})$/;

export function isJsonPointer(text: string): boolean {
  return POINTER.test(text);
}

/**
 * What stands at a pointer in a value that JSON.parse made; undefined where nothing does. Fields are only the value's own,
 * so that `/constructor` finds nothing.
 */
export function valueAtPointer(value: unknown, pointer: string): unknown {
  let found = value;
  for (const step of pointer.split('/').slice(1).map(unescaped)) {
    if (Array.isArray(found)) {
      const items: readonly unknown[] = found;
      found = INDEX.test(step) ? items[Number(step)] : undefined;
    } else found = fieldOf(found, step);
    if (found === undefined) return undefined;
  }
  return found;
}

/** First `~1`, then `~0`, so that `~01` is `~1` and not a slash. */
function unescaped(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}
