import { parseArgs } from 'node:util';
import { SCOPES } from '../app/authenticate.ts';
import type { ListedApiKey, Store } from '../app/ports.ts';
import { openCore } from '../composition.ts';
import { loadConfig } from '../config.ts';
import { hashToken, newId, newToken } from '../ids.ts';
import { createLogger } from '../log.ts';

const USAGE = `usage: npm run keys -- create --name NAME --scope SCOPE [--scope SCOPE ...]
       npm run keys -- list
       npm run keys -- revoke ID
scopes: ${SCOPES.join(', ')}`;

/** As sysexits.h names it: called wrongly. */
const EX_USAGE = 64;

/** What is to be done with the keys; gives the status to end with. */
type Command = (store: Store) => Promise<number>;

/** The command that the arguments name, or what is wrong with them. */
function commandOf(args: string[]): Command | string {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { name: { type: 'string' }, scope: { type: 'string', multiple: true } },
  });
  const [verb, ...rest] = positionals;
  const { name, scope: scopes = [] } = values;
  if (verb === 'create') return rest.length === 0 ? createCommand(name, scopes) : '';
  if (name !== undefined || scopes.length > 0) return '--name and --scope belong to create';
  return plainCommand(verb, rest);
}

function plainCommand(verb: string | undefined, ids: readonly string[]): Command | string {
  const [id, ...more] = ids;
  if (verb === 'list' && id === undefined) return list;
  if (verb === 'revoke' && id !== undefined && more.length === 0) return (store) => revoke(store, id);
  return '';
}

function createCommand(name: string | undefined, scopes: readonly string[]): Command | string {
  if (name === undefined || name.length < 1 || name.length > 100)
    return '--name: expected 1 to 100 characters';
  const known: readonly string[] = SCOPES;
  const wrong = scopes.filter((scope) => !known.includes(scope));
  if (wrong.length > 0) return `no such scope: ${wrong.join(', ')}`;
  return scopes.length > 0 ? (store) => create(store, name, scopes) : '--scope: expected at least one';
}

async function create(store: Store, name: string, scopes: readonly string[]): Promise<number> {
  const token = newToken();
  const id = newId('ak');
  await store.insertApiKey({ id, name, scopes: [...new Set(scopes)], tokenHash: hashToken(token) });
  process.stderr.write(`API key ${id} (${scopes.join(', ')}). Its token is shown this once:\n`);
  process.stdout.write(`${token}\n`);
  return 0;
}

async function list(store: Store): Promise<number> {
  for (const key of await store.listApiKeys()) process.stdout.write(`${lineOf(key)}\n`);
  return 0;
}

/** One line a key, in columns that tabs separate. */
function lineOf({ id, name, scopes, createdAt, lastUsedAt, revokedAt }: ListedApiKey): string {
  const used = lastUsedAt === null ? 'never used' : `last used ${lastUsedAt.toISOString()}`;
  const state = revokedAt === null ? used : `revoked ${revokedAt.toISOString()}`;
  return [id, name, scopes.join(','), `created ${createdAt.toISOString()}`, state].join('\t');
}

async function revoke(store: Store, id: string): Promise<number> {
  const revoked = await store.revokeApiKey(id);
  process.stderr.write(revoked ? `API key ${id} is revoked.\n` : `There is no key ${id} to revoke.\n`);
  return revoked ? 0 : 1;
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
    return await command(core.deps.store);
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
