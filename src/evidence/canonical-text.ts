/**
 * The canonical text of plain JSON without fractions (RFC 8785), for those who verify without any package. Fields that are
 * undefined are left out.
 *
 * @throws TypeError for numbers that are no safe integers, text that is not well-formed, and whatever is not JSON
 */
export function canonicalText(value: unknown): string {
  if (typeof value === 'string') return canonicalString(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError('only whole numbers have a canonical form here');
    return String(value);
  }
  if (value === null || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  if (typeof value === 'object') return canonicalObject(value);
  throw new TypeError(`a ${typeof value} has no canonical form`);
}

function canonicalString(value: string): string {
  if (!value.isWellFormed()) throw new TypeError('text that is not well-formed has no canonical form');
  return JSON.stringify(value);
}

function canonicalObject(value: object): string {
  const fields = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    // By UTF-16 code units, which is how JavaScript compares.
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, item]) => `${canonicalString(key)}:${canonicalText(item)}`);
  return `{${fields.join(',')}}`;
}
