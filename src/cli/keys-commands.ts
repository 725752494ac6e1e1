import type { Command } from 'commander';
import { z } from 'zod';
import type { ApiKeyView, NewTokenView } from '../app/api-key-schema.ts';
import { SCOPES } from '../app/authenticate.ts';
import { createApiKey } from '../app/create-api-key.ts';
import { rotateMaster } from '../app/rotate-master.ts';
import { revokeApiKey } from '../app/revoke-api-key.ts';
import { rotateApiKey } from '../app/rotate-api-key.ts';
import { listApiKeys } from '../app/show-api-keys.ts';
import { collect, examples, noOptions, time, whole, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { onDatabase, type GivenDeps } from './on-database.ts';
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
      .option('--expires <time>', 'when it ends, such as 2027-03-01T09:30:00Z (default: never)')
      .action(onDatabase(shell, createOptions, create)),
    ['keys create --name "privacy team" --scope requests:write --scope requests:read'],
  );
  examples(
    group
      .command('list')
      .description('all keys and their last use; with --json one a line')
      .action(onDatabase(shell, noOptions, list)),
    ['keys list', "keys list --json | jq -r 'select(.lastUsedAt == null) | .name'"],
  );
  examples(
    group
      .command('revoke <id>')
      .description('ends a key at once, the last admin key too')
      .action(onDatabase(shell, noOptions, revoke)),
    [`keys revoke ${SOME_KEY}`],
  );
  examples(
    group
      .command('rotate <id>')
      .description('gives a key a new token, which is shown this once')
      .option('--grace <seconds>', 'how long the old token still opens (default 0)')
      .action(onDatabase(shell, rotateOptions, rotate)),
    [`keys rotate ${SOME_KEY} --grace 600`],
  );
  addRotateMaster(group, shell);
}

/** What it protects are the keys that identifiers are sealed under: nothing of theirs changes. */
function addRotateMaster(group: Command, shell: Shell): void {
  examples(
    group
      .command('rotate-master')
      .description('wraps all keys of the vault under the current master key, while the service runs')
      .action(onDatabase(shell, noOptions, rotateMasterKey)),
    ['keys rotate-master'],
  );
}

async function rotateMasterKey({ deps, output }: GivenDeps<unknown>): Promise<ExitStatus> {
  const rotation = await rotateMaster(deps, { kind: 'local' });
  const { masterId, dataKeys, vaultKeys } = rotation;
  output.value(
    rotation,
    () =>
      `${dataKeys + vaultKeys} keys are wrapped anew; the master key ${masterId} now wraps every key. ` +
      'Once every process has it as its current one, call this again: when there is nothing to wrap, the others may go.',
  );
  return EXIT.ok;
}

const createOptions = z.object({
  name: z.string('1 to 100 characters').min(1, '1 to 100 characters').max(100, '1 to 100 characters'),
  scope: z.array(z.enum(SCOPES, `one of ${SCOPES.join(', ')}`), 'at least one'),
  expires: time().optional(),
});
const rotateOptions = z.object({ grace: whole(0, 999_999).default(0) });

async function create({
  deps,
  options,
  output,
}: GivenDeps<z.output<typeof createOptions>>): Promise<ExitStatus> {
  const { name, scope: scopes, expires: expiresAt } = options;
  return showToken(await createApiKey(deps, { name, scopes, expiresAt }, 'local'), output);
}

async function rotate(given: GivenDeps<z.output<typeof rotateOptions>>): Promise<ExitStatus> {
  const { deps, args, options, output } = given;
  const command = { keyId: args[0] ?? '', graceSeconds: options.grace };
  return showToken(await rotateApiKey(deps, command, 'local'), output);
}

function showToken(key: NewTokenView, output: Output): ExitStatus {
  const { id, scopes, token } = key;
  if (!output.json) output.note(`API key ${id} (${scopes.join(', ')}). Its token is shown this once:`);
  output.value(key, () => token);
  return EXIT.ok;
}

async function list({ deps, output }: GivenDeps<unknown>): Promise<ExitStatus> {
  const keys = await listApiKeys(deps);
  output.items(keys);
  output.text(keys.length === 0 ? 'none' : keys.map((key) => keyText(key, output)).join('\n'));
  return EXIT.ok;
}

async function revoke({ deps, args, output }: GivenDeps<unknown>): Promise<ExitStatus> {
  const key = await revokeApiKey(deps, args[0] ?? '', 'local');
  output.value(key, () => `API key ${key.id} is revoked since ${key.revokedAt ?? 'now'}.`);
  return EXIT.ok;
}

const INDENT = 4;

/** Two lines or more: an id, a name and all scopes do not fit into one. */
function keyText(key: ApiKeyView, { width }: Output): string {
  const facts = `${stateOf(key)}; ${key.scopes.join(', ')}`;
  const indent = ' '.repeat(INDENT);
  return `${key.id}  ${plain(key.name)}\n${indent}${wrapped(facts, width - INDENT, indent)}`;
}

function stateOf({ createdAt, lastUsedAt, revokedAt, expiresAt }: ApiKeyView): string {
  const created = `created ${dayOf(createdAt)}`;
  if (revokedAt !== null) return `${created}, revoked ${dayOf(revokedAt)}`;
  const expires = expiresAt === null ? '' : `, expires ${dayOf(expiresAt)}`;
  return `${created}${expires}, ${lastUsedAt === null ? 'never used' : `last used ${dayOf(lastUsedAt)}`}`;
}

function dayOf(at: string): string {
  return at.slice(0, 10);
}
