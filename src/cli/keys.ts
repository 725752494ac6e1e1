import { parseArgs } from 'node:util';
import type { ApiKeyView, NewTokenView } from '../app/api-key-schema.ts';
import { SCOPES, type Scope } from '../app/authenticate.ts';
import { createApiKey, type KeyWish } from '../app/create-api-key.ts';
import { ApiKeyNotFoundError } from '../app/key-keeper.ts';
import type { Deps } from '../app/ports.ts';
import { revokeApiKey } from '../app/revoke-api-key.ts';
import { rotateApiKey } from '../app/rotate-api-key.ts';
import { listApiKeys } from '../app/show-api-keys.ts';
import { openCore } from '../composition.ts';
import { loadConfig } from '../config.ts';
import { createLogger } from '../log.ts';

const USAGE = `usage: npm run keys -- create --name NAME --scope SCOPE [--scope SCOPE ...] [--expires TIME]
       npm run keys -- list
       npm run keys -- revoke ID
       npm run keys -- rotate ID [--grace SECONDS]
TIME: such as 2027-03-01T09:30:00Z. SECONDS: how long the old token still opens; 0 where it is left out.
scopes: ${SCOPES.join(', ')}`;

/** As sysexits.h names it: called wrongly. */
const EX_USAGE = 64;

/** What is to be done with the keys; gives the status to end with. */
type Command = (deps: Deps) => Promise<number>;

const OPTIONS = {
  name: { type: 'string' },
  scope: { type: 'string', multiple: true },
  expires: { type: 'string' },
  grace: { type: 'string' },
} as const;
type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

/** The command that the arguments name, or what is wrong with them. */
function commandOf(args: string[]): Command | string {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: OPTIONS });
  const [verb = '', id, ...more] = positionals;
  const misplaced = misplacedIn(values, verb);
  if (misplaced !== undefined || more.length > 0) return misplaced ?? '';
  if (id === undefined) return plainCommand(verb, values);
  if (verb === 'revoke') return (deps) => revoke(deps, id);
  return verb === 'rotate' ? rotateCommand(id, values.grace ?? '0') : '';
}

function misplacedIn(values: Values, verb: string): string | undefined {
  const { grace, ...others } = values;
  if (verb !== 'create' && Object.keys(others).length > 0)
    return '--name, --scope and --expires belong to create';
  return verb !== 'rotate' && grace !== undefined ? '--grace belongs to rotate' : undefined;
}

function plainCommand(verb: string, values: Values): Command | string {
  if (verb === 'list') return list;
  return verb === 'create' ? createCommand(values) : '';
}

function createCommand({ name, scope: words = [], expires }: Values): Command | string {
  if (name === undefined || name.length < 1 || name.length > 100)
    return '--name: expected 1 to 100 characters';
  const wrong = words.filter((word) => scopeOf(word) === undefined);
  if (wrong.length > 0) return `no such scope: ${wrong.join(', ')}`;
  const scopes = words.flatMap((word) => scopeOf(word) ?? []);
  if (scopes.length === 0) return '--scope: expected at least one';
  if (expires === undefined) return (deps) => create(deps, { name, scopes });
  const expiresAt = new Date(expires);
  return TIME.test(expires) && !Number.isNaN(expiresAt.getTime())
    ? (deps) => create(deps, { name, scopes, expiresAt })
    : '--expires: expected a time';
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/;

function scopeOf(word: string): Scope | undefined {
  return SCOPES.find((scope) => scope === word);
}

function rotateCommand(id: string, grace: string): Command | string {
  return /^\d{1,6}$/.test(grace)
    ? (deps) => rotate(deps, id, Number(grace))
    : '--grace: expected whole seconds';
}

async function create(deps: Deps, wish: KeyWish): Promise<number> {
  showToken(await createApiKey(deps, wish, 'local'));
  return 0;
}

async function rotate(deps: Deps, keyId: string, graceSeconds: number): Promise<number> {
  return orNotFound(keyId, async () => {
    showToken(await rotateApiKey(deps, { keyId, graceSeconds }, 'local'));
  });
}

function showToken({ id, scopes, token }: NewTokenView): void {
  process.stderr.write(`API key ${id} (${scopes.join(', ')}). Its token is shown this once:\n`);
  process.stdout.write(`${token}\n`);
}

async function list(deps: Deps): Promise<number> {
  for (const key of await listApiKeys(deps)) process.stdout.write(`${lineOf(key)}\n`);
  return 0;
}

/** One line a key, in columns that tabs separate. */
function lineOf({ id, name, scopes, createdAt, expiresAt, lastUsedAt, revokedAt }: ApiKeyView): string {
  const ends = expiresAt === null ? 'never expires' : `expires ${expiresAt}`;
  const used = lastUsedAt === null ? 'never used' : `last used ${lastUsedAt}`;
  const state = revokedAt === null ? used : `revoked ${revokedAt}`;
  return [id, name, scopes.join(','), `created ${createdAt}`, ends, state].join('\t');
}

async function revoke(deps: Deps, keyId: string): Promise<number> {
  return orNotFound(keyId, async () => {
    const { revokedAt } = await revokeApiKey(deps, keyId, 'local');
    process.stderr.write(`API key ${keyId} is revoked since ${revokedAt ?? 'now'}.\n`);
  });
}

async function orNotFound(keyId: string, act: () => Promise<void>): Promise<number> {
  try {
    await act();
    return 0;
  } catch (error) {
    if (!(error instanceof ApiKeyNotFoundError)) throw error;
    process.stderr.write(`There is no key ${keyId}.\n`);
    return 1;
  }
}

/** Status 0; 1 when it failed; 64 when called wrongly. */
async function main(args: string[]): Promise<number> {
  const command = commandOf(args);
  if (typeof command === 'string') {
    process.stderr.write(`${command === '' ? '' : `${command}\n`}${USAGE}\n`);
    return EX_USAGE;
  }
  const config = loadConfig(process.env);
  const core = await openCore(config, {
    role: 'keys',
    logger: createLogger({ level: 'warn', name: 'lethe-keys' }),
  });
  try {
    return await command(core.deps);
  } finally {
    await core.close();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : 'failed'}\n`);
  process.exitCode = 1;
}
