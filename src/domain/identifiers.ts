/**
 * What may be sent to OpenReplay inside a URL path. Proxies in front of it decode `%2F`, resolve `..` and cut
 * at newlines, so some identifiers would reach another user, another job or another project; those are refused
 * before anything is sent. Everything else is sent exactly as it is: never trimmed, folded or normalised.
 */
export const UNROUTABLE_REASONS = [
  'empty',
  'too_long',
  'slash',
  'control_character',
  'dot_segment',
  'lone_surrogate',
] as const;
export type UnroutableReason = (typeof UNROUTABLE_REASONS)[number];

/** OpenReplay refuses longer ids with a 400; measured in bytes of UTF-8, as its server counts. */
const USER_ID_MAX_BYTES = 256;

const utf8 = new TextEncoder();
// eslint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** Real servers make 20 letters and digits. */
export const PROJECT_KEY = /^[0-9A-Za-z_-]{1,64}$/;

/**
 * Says why a user id (or job or session id) must never be put into a URL path, or `undefined` when it may be.
 * The reason never quotes the id.
 */
export function unroutableReason(id: string): UnroutableReason | undefined {
  if (id === '') return 'empty';
  if (!id.isWellFormed()) return 'lone_surrogate';
  if (utf8.encode(id).length > USER_ID_MAX_BYTES) return 'too_long';
  if (id.includes('/')) return 'slash';
  if (CONTROL.test(id)) return 'control_character';
  if (id === '.' || id === '..') return 'dot_segment';
  return undefined;
}

/** Whether `key` has the form of an OpenReplay project key. */
export function isProjectKey(key: string): boolean {
  return PROJECT_KEY.test(key);
}

/** One sentence a person can act on, for each reason. */
export const UNROUTABLE_EXPLANATIONS: Readonly<Record<UnroutableReason, string>> = {
  empty: 'The user id is empty: it would address the list of all users.',
  too_long: `The user id is longer than ${USER_ID_MAX_BYTES} bytes of UTF-8: OpenReplay refuses it.`,
  slash: 'The user id holds a "/": proxies decode it, and another resource would be deleted.',
  control_character:
    'The user id holds a control character: servers cut the id there and delete another user.',
  dot_segment: 'The user id is "." or "..": proxies resolve it, and another resource would be deleted.',
  lone_surrogate: 'The user id is not well-formed Unicode: it cannot be sent as it is.',
};
