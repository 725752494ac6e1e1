import type { Personality } from './options.ts';
import type { UserRecord } from './state.ts';

/** What a search text asks for. */
export interface UserSearch {
  /** A text that every user who matches has in a field, lower case: for the index. May be empty. */
  readonly literal: string;
  readonly matches: (user: UserRecord) => boolean;
}

/**
 * Reads a search text: any part of id, email or name, whatever the case. Real servers hand the text to SQL as it is, so
 * that there `%` stands for any characters, `_` for any one, and `\` takes that meaning away.
 */
export function readSearch(query: string, personality: Personality): UserSearch {
  const text = query.toLowerCase();
  if (personality === 'contract' || !/[%_\\]/.test(text)) {
    return { literal: text, matches: ({ searchText }) => searchText.some((field) => field.includes(text)) };
  }
  const parts = Array.from(text.matchAll(/\\[%_\\]|[%_]|[^%_\\]+|\\/g), ([part]) => part);
  const literals = parts.map((part) => (part === '%' || part === '_' ? '' : part.replace(/^\\(?=.)/, '')));
  const [literal = ''] = [...literals].sort((one, other) => other.length - one.length);
  const pattern = new RegExp(
    parts.map((part, n) => wildcard(part) ?? quoted(literals[n] ?? '')).join(''),
    'su',
  );
  return { literal, matches: ({ searchText }) => searchText.some((field) => pattern.test(field)) };
}

function wildcard(part: string): string | undefined {
  if (part === '%') return '.*';
  return part === '_' ? '.' : undefined;
}

function quoted(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
