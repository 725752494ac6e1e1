import { isSection, valueAt } from './plain-tree.ts';
import type { ConfigPath } from './problem.ts';
import { pathText } from './problem.ts';

/** A mistake before it is known in which line it stands. */
export interface Mistake {
  readonly path: ConfigPath;
  readonly expected: string;
}

/** Far deeper than any field; it also ends aliases that contain themselves. */
const MAX_DEPTH = 16;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** In this order: an escaped start, a reference, a start without its end. */
const REFERENCE = /\$\$\{|\$\{([^{}]*)\}|\$\{/g;

/**
 * Replaces `${NAME}` in every text of a parsed file, field names excepted; `$${` stands for `${`. As it works on
 * parsed values, a variable can never add fields or lists. Returns a copy, and a mistake for each variable that is
 * not set; a set but empty variable is the empty text.
 */
export function substitute(
  content: unknown,
  env: NodeJS.ProcessEnv,
): { content: unknown; mistakes: Mistake[] } {
  const mistakes: Mistake[] = [];
  const walk = (value: unknown, path: ConfigPath): unknown => {
    if (path.length > MAX_DEPTH) {
      mistakes.push({ path, expected: `at most ${MAX_DEPTH} levels of sections` });
      return undefined;
    }
    if (typeof value === 'string')
      return substituteText(value, env, (expected) => mistakes.push({ path, expected }));
    if (Array.isArray(value)) return value.map((item: unknown, index) => walk(item, [...path, index]));
    if (!isSection(value)) return value;
    // fromEntries makes own fields, of a field called __proto__ too.
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, walk(item, [...path, name])]),
    );
  };
  return { content: walk(content, []), mistakes };
}

function substituteText(text: string, env: NodeJS.ProcessEnv, report: (expected: string) => void): string {
  return text.replaceAll(REFERENCE, (match: string, name: string | undefined) => {
    if (match === '$${') return '${';
    if (name === undefined || !NAME.test(name)) {
      report('${NAME} with a name of letters, digits and _, or $${ for the characters themselves');
      return match;
    }
    const value = variable(env, name, { keepEmpty: true });
    if (value === undefined) report(`the environment variable ${name} to be set`);
    return value ?? match;
  });
}

/**
 * Reads one variable. Own properties only, as `env.constructor` is no variable. An empty one counts as not set
 * (compose files pass `NAME=` for what was left out) unless `keepEmpty`.
 */
export function variable(
  env: NodeJS.ProcessEnv,
  name: string,
  options?: { keepEmpty: boolean },
): string | undefined {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  return value === '' && options?.keepEmpty !== true ? undefined : value;
}

/** Variables that stand for one field each. The file's value wins. */
const SHORTHANDS: readonly (readonly [name: string, path: readonly [string] | readonly [string, string]])[] =
  [
    ['DATABASE_URL', ['databaseUrl']],
    ['LETHE_MIGRATION_DATABASE_URL', ['migrationDatabaseUrl']],
    ['REDIS_URL', ['redisUrl']],
    ['LETHE_MASTER_KEY', ['masterKey']],
    ['LETHE_OTHER_MASTER_KEYS', ['otherMasterKeys']],
    ['LETHE_DATA_DIR', ['dataDirectory']],
    ['LETHE_JOURNAL_DIR', ['journal', 'directory']],
    ['LETHE_LOG_LEVEL', ['log', 'level']],
    ['LETHE_TIME_ZONE', ['calendar', 'timeZone']],
    ['LETHE_COUNTRY', ['calendar', 'country']],
    ['HOST', ['server', 'host']],
    ['PORT', ['server', 'port']],
  ];

/** Which variable a path's value came from, by the path's text. */
export type Origins = ReadonlyMap<string, string>;

/**
 * Fills what the file leaves out from DATABASE_URL, LETHE_MIGRATION_DATABASE_URL, REDIS_URL, LETHE_MASTER_KEY, LETHE_OTHER_MASTER_KEYS, LETHE_DATA_DIR,
 * LETHE_JOURNAL_DIR, LETHE_LOG_LEVEL, LETHE_TIME_ZONE, LETHE_COUNTRY, HOST and PORT, and, when the file has no `connections`, makes one named `default` of
 * OPENREPLAY_URL and OPENREPLAY_API_KEY. A content that is no section is returned as it is.
 */
export function fillFromEnvironment(
  content: unknown,
  env: NodeJS.ProcessEnv,
): { content: unknown; origins: Origins } {
  const origins = new Map<string, string>();
  if (!isSection(content)) return { content, origins };
  let filled = content;
  for (const [name, path] of SHORTHANDS) {
    const value = variable(env, name);
    if (value === undefined || valueAt(filled, path) !== undefined) continue;
    const next = withField(filled, path, value);
    if (next === undefined) continue;
    filled = next;
    origins.set(pathText(path), name);
  }
  const connection = filled['connections'] === undefined ? connectionOf(env) : undefined;
  if (connection === undefined) return { content: filled, origins };
  origins.set('connections[0].url', 'OPENREPLAY_URL').set('connections[0].apiKey', 'OPENREPLAY_API_KEY');
  return { content: { ...filled, connections: [connection] }, origins };
}

function connectionOf(env: NodeJS.ProcessEnv): Record<string, string> | undefined {
  const url = variable(env, 'OPENREPLAY_URL');
  const apiKey = variable(env, 'OPENREPLAY_API_KEY');
  if (url === undefined && apiKey === undefined) return undefined;
  return { name: 'default', ...(url !== undefined && { url }), ...(apiKey !== undefined && { apiKey }) };
}

/** A copy with one more field; `undefined` where the file has something else in the section's place. */
function withField(
  tree: Record<string, unknown>,
  [first, second]: readonly [string] | readonly [string, string],
  value: string,
): Record<string, unknown> | undefined {
  if (second === undefined) return { ...tree, [first]: value };
  const section = tree[first] === undefined ? {} : tree[first];
  return isSection(section) ? { ...tree, [first]: { ...section, [second]: value } } : undefined;
}
