import { FIELD_NAMES } from './file-schema.ts';
import type { ConfigPath } from './problem.ts';

/** What was expected in place of the unknown field `name` of the section at `path`, with the nearest known name. */
export function expectedName(path: ConfigPath, name: string): string {
  const section = path.filter((step) => typeof step === 'string').join('.');
  const near = nearest(name, FIELD_NAMES.get(section) ?? []);
  if (near !== undefined) return `a known field; did you mean "${near}"?`;
  const elsewhere = [...FIELD_NAMES].find(([other, names]) => other !== section && names.includes(name));
  if (elsewhere === undefined) return 'a known field';
  return `a known field; "${name}" belongs ${elsewhere[0] === '' ? 'at the top level' : `under "${elsewhere[0]}"`}`;
}

function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(plain(name), plain(candidate)) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return best?.candidate;
}

/** Case, `_` and `-` aside: `database_url` is `databaseUrl` in another habit. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '').slice(0, 64);
}

/** How many letters to add, drop, replace or swap with their neighbour, row by row. */
function editDistance(a: string, b: string): number {
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const replace = cell(last, j - 1) + (same ? 0 : 1);
      const swap = swapped ? cell(beforeLast, j - 2) + 1 : Infinity;
      row.push(Math.min(replace, swap, cell(last, j) + 1, cell(row, j - 1) + 1));
    }
    [beforeLast, last] = [last, row];
  }
  return cell(last, b.length);
}

function cell(row: readonly number[], index: number): number {
  return row[index] ?? Infinity;
}
