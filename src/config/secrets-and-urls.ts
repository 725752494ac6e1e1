import ipaddr from 'ipaddr.js';

/** What a URL of each kind must be; said in mistakes. */
export const DATABASE_URL_RULE = 'a URL that starts with postgres:// or postgresql:// and names a database';
export const REDIS_URL_RULE =
  'a URL that starts with redis:// or rediss://, with a host and at most a database number';
export const OPENREPLAY_URL_RULE =
  'an http or https URL such as https://api.openreplay.com/v2, without credentials, query or fragment';
export const REPLY_URL_RULE =
  'an https URL such as https://example.zendesk.com, without credentials, query or fragment';
export const API_KEY_RULE = 'a key of visible ASCII characters, without spaces or line breaks';
export const MASTER_KEY_RULE = '32 bytes, as 64 hexadecimal digits or as base64 (openssl rand -base64 32)';

export const OTHER_MASTER_KEYS_RULE = `one or more, with commas between them, each ${MASTER_KEY_RULE}`;

/** The URL parser drops these silently, so the checked text would not be the one that is used. */
// eslint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const DROPPED = /[\u0000-\u0020\u007f\\]/;

function parseUrl(text: string, schemes: readonly string[]): URL | undefined {
  if (DROPPED.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return schemes.includes(url.protocol) && text.toLowerCase().startsWith(`${url.protocol}//`)
    ? url
    : undefined;
}

/** DATABASE_URL_RULE. The host may be missing: a socket folder can be named in the query. */
export function isDatabaseUrl(text: string): boolean {
  const url = parseUrl(text, ['postgres:', 'postgresql:']);
  return url !== undefined && url.pathname.length > 1;
}

/** REDIS_URL_RULE. */
export function isRedisUrl(text: string): boolean {
  const url = parseUrl(text, ['redis:', 'rediss:']);
  return url !== undefined && url.hostname !== '' && /^(\/\d*)?$/.test(url.pathname);
}

/** OPENREPLAY_URL_RULE. A bare `?`, `#` or `@` is refused too: none of them is there on purpose. */
export function isOpenReplayUrl(text: string): boolean {
  const url = parseUrl(text, ['http:', 'https:']);
  return url !== undefined && !/[?#@]/.test(text);
}

/** The base URL in one form: as the URL parser writes it, without a slash at its end. */
export function normalizeBaseUrl(text: string): string {
  return new URL(text).href.replace(/\/+$/, '');
}

/** API_KEY_RULE: it goes into a header, so a line break would add headers. */
export function isApiKey(text: string): boolean {
  return /^[\x21-\x7e]{1,1024}$/.test(text);
}

/** The 32 bytes of MASTER_KEY_RULE, or `undefined`. Base64 must be canonical: a mistyped key is not guessed at. */
export function masterKeyOf(text: string): Uint8Array | undefined {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return new Uint8Array(Buffer.from(text, 'hex'));
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').startsWith(text) ? new Uint8Array(bytes) : undefined;
}

/** The keys of OTHER_MASTER_KEYS_RULE, or `undefined`. */
export function masterKeysOf(text: string): readonly Uint8Array[] | undefined {
  const keys = text.split(',').flatMap((one) => masterKeyOf(one.trim()) ?? []);
  return keys.length === text.split(',').length ? keys : undefined;
}

/** A network that servers may be in, as CIDR. */
export function isNetwork(text: string): boolean {
  return ipaddr.isValidCIDR(text);
}
