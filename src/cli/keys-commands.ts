import type { Command } from 'commander';
import { z } from 'zod';
import { SCOPES } from '../app/authenticate.ts';
import type { ListedApiKey, Store } from '../app/ports.ts';
import { loadConfig } from '../config.ts';
import { hashToken, newId, newToken } from '../ids.ts';
import { act, collect, examples, noOptions, type Given, type Shell } from './command.ts';
import { CommandError, EXIT, type ExitStatus } from './exit-status.ts';
import type { Output } from './output.ts';
import { plain, wrapped } from './table.ts';

const SOME_KEY = 'ak_0192f0c1a2b37c4d8e5f60718293a4b5';

/** `lethe keys`: API keys, on the database itself, since the first of them cannot be made over the API. */
export function addKeys(program: Command, shell: Shell): void {
  const group = program.command('keys').description('API keys, on the database of the configuration');
  examples(
    group
      .command('create')
      .description('makes a key; its token is shown this once')
      .option('--name <name>', 'what it is for, 1 to 100 characters (needed)')
      .option('--scope <scope>', `${SCOPES.join(', ')}; may be given again (needed)`, collect)
      .action(act(shell, createOptions, (given) => onStore(given, (store) => create(given, store)))),
    ['keys create --name "privacy team" --scope requests:write --scope requests:read'],
  );
  examples(
    group
      .command('list')
      .description('all keys and their last use; with --json one a line')
      .action(act(shell, noOptions, (given) => onStore(given, (store) => list(given, store)))),
    ['keys list', "keys list --json | jq -r 'select(.lastUsedAt == null) | .name'"],
  );
  examples(
    group
      .command('revoke <id>')
      .description('ends a key at once')
      .action(act(shell, noOptions, (given) => onStore(given, (store) => revoke(given, store)))),
    [`keys revoke ${SOME_KEY}`],
  );
}

const known: readonly string[] = SCOPES;
const createOptions = z.object({
  name: z.string('1 to 100 characters').min(1, '1 to 100 characters').max(100, '1 to 100 characters'),
  scope: z
    .array(
      z.string().refine((scope) => known.includes(scope), `one of ${SCOPES.join(', ')}`),
      'at least one',
    )
    .transform((scopes) => [...new Set(scopes)]),
});

/** Opens the database as the service does, the embedded one included, and closes it again. */
async function onStore(
  { io }: Given<unknown>,
  work: (store: Store) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  const config = loadConfig(io.env, { cwd: io.cwd });
  // Loaded only here: the other commands need none of it, and it takes half a second.
  const [{ openCore }, { createLogger }] = await Promise.all([
    import('../composition.ts'),
    import('../log.ts'),
  ]);
  const logger = createLogger({ level: 'warn', name: 'lethe-keys', stream: io.stderr });
  const core = await openCore(config, { role: 'keys', logger });
  try {
    return await work(core.deps.store);
  } finally {
    await core.close();
  }
}

async function create(given: Given<z.output<typeof createOptions>>, store: Store): Promise<ExitStatus> {
  const { output, options } = given;
  const { name, scope: scopes } = options;
  const token = newToken();
  const id = newId('ak');
  await store.insertApiKey({ id, name, scopes, tokenHash: hashToken(token) });
  if (!output.json) output.note(`API key ${id} (${scopes.join(', ')}). Its token is shown this once:`);
  output.value({ id, name, scopes, token }, () => token);
  return EXIT.ok;
}

async function list({ output }: Given<unknown>, store: Store): Promise<ExitStatus> {
  const keys = await store.listApiKeys();
  output.items(keys);
  output.text(keys.length === 0 ? 'none' : keys.map((key) => keyText(key, output)).join('\n'));
  return EXIT.ok;
}

const INDENT = 4;

/** Two lines or more: an id, a name and all scopes do not fit into one. */
function keyText(key: ListedApiKey, { width }: Output): string {
  const facts = `${stateOf(key)}; ${key.scopes.join(', ')}`;
  const indent = ' '.repeat(INDENT);
  return `${key.id}  ${plain(key.name)}\n${indent}${wrapped(facts, width - INDENT, indent)}`;
}

function stateOf({ createdAt, lastUsedAt, revokedAt }: ListedApiKey): string {
  const created = `created ${dayOf(createdAt)}`;
  if (revokedAt !== null) return `${created}, revoked ${dayOf(revokedAt)}`;
  return `${created}, ${lastUsedAt === null ? 'never used' : `last used ${dayOf(lastUsedAt)}`}`;
}

function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}

async function revoke({ output, args }: Given<unknown>, store: Store): Promise<ExitStatus> {
  const [id = ''] = args;
  if (!(await store.revokeApiKey(id))) {
    throw new CommandError('API_KEY_NOT_FOUND', `There is no key ${id} to revoke.`, {
      status: EXIT.notFound,
    });
  }
  output.value({ id, revoked: true }, () => `API key ${id} is revoked.`);
  return EXIT.ok;
}
