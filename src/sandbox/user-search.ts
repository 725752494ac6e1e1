import type { Personality } from './options.ts';
import type { UserRecord } from './state.ts';

/**
 * Says which users a search text matches: any part of id, email or name, whatever the case. Real servers hand the text
 * to SQL as it is, so that there `%` stands for any characters, `_` for any one, and `\` takes that meaning away.
 */
export function matcherOf(query: string, personality: Personality): (user: UserRecord) => boolean {
  const text = query.toLowerCase();
  if (personality === 'real' && /[%_\\]/.test(text)) {
    const pattern = new RegExp(wildcardsToPattern(text), 'su');
    return ({ searchText }) => searchText.some((field) => pattern.test(field));
  }
  return ({ searchText: [id, email, name] }) =>
    id.includes(text) || email.includes(text) || name.includes(text);
}

function wildcardsToPattern(text: string): string {
  return text.replace(/\\[%_\\]|[%_]|[\\^$.*+?()[\]{}|/]/g, (found) => {
    if (found === '%') return '.*';
    if (found === '_') return '.';
    const literal = found.length === 2 ? found.charAt(1) : found;
    return /[%_]/.test(literal) ? literal : `\\${literal}`;
  });
}
