import { isProjectKey, unroutableReason } from '../domain/identifiers.ts';
import type { CallFailure } from '../domain/openreplay.ts';

export type Unsendable = Extract<CallFailure, { kind: 'unsendable' }>;
/** The parts of a path that come from outside, by the names the contract gives them. */
export type PathParts = Readonly<Partial<Record<Unsendable['field'], string>>>;

const isRoutable = (id: string): boolean => unroutableReason(id) === undefined;
const CHECKS: readonly (readonly [Unsendable['field'], (value: string) => boolean])[] = [
  ['projectKey', isProjectKey],
  ['userId', isRoutable],
  ['jobId', isRoutable],
  ['sessionId', isRoutable],
];

/**
 * Puts the parts into a path template of the contract, such as `/public/{projectKey}/users/{userId}`, each
 * encoded once. A part that must never be in a path (or is missing) makes the whole unsendable. Parts that the
 * template does not name are ignored.
 */
export function fillPath(template: string, parts: PathParts): string | Unsendable {
  let path = template;
  for (const [field, isSafe] of CHECKS) {
    const slot = `{${field}}`;
    if (!template.includes(slot)) continue;
    const value = parts[field] ?? '';
    if (!isSafe(value)) return { kind: 'unsendable', field };
    path = path.replace(slot, () => encodeURIComponent(value));
  }
  return path;
}

/**
 * The query that narrows live sessions to one user, with its `?`; empty without a user id. The id is held to the
 * rule for paths: an empty one would mean every user, and a lone surrogate cannot be encoded.
 */
export function liveSessionsQuery(userId: string | undefined): string | Unsendable {
  if (userId === undefined) return '';
  return isRoutable(userId)
    ? `?userId=${encodeURIComponent(userId)}`
    : { kind: 'unsendable', field: 'userId' };
}
