import { parseArgs } from 'node:util';
import { SCOPES } from '../app/authenticate.ts';
import { openCore } from '../composition.ts';
import { loadConfig } from '../config.ts';
import { hashToken, newId, newToken } from '../ids.ts';
import { createLogger } from '../log.ts';

const USAGE = `usage: npm run keys -- create --name NAME --scope SCOPE [--scope SCOPE ...]
scopes: ${SCOPES.join(', ')}`;

/** `keys create`: makes an API key and prints its token, once. Status 0, or 64 when called wrongly. */
async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { name: { type: 'string' }, scope: { type: 'string', multiple: true } },
  });
  const scopes = values.scope ?? [];
  const known: readonly string[] = SCOPES;
  const wrong = scopes.filter((scope) => !known.includes(scope));
  if (positionals[0] !== 'create' || !values.name || scopes.length === 0 || wrong.length > 0) {
    process.stderr.write(`${wrong.length > 0 ? `no such scope: ${wrong.join(', ')}\n` : ''}${USAGE}\n`);
    return 64;
  }
  const config = loadConfig(process.env);
  const core = await openCore(config, {
    role: 'keys',
    logger: createLogger({ level: 'warn', name: 'lethe-keys' }),
  });
  try {
    const token = newToken();
    const key = { id: newId('ak'), name: values.name, scopes, tokenHash: hashToken(token) };
    await core.deps.store.insertApiKey(key);
    process.stderr.write(`API key ${key.id} (${scopes.join(', ')}). Its token is shown this once:\n`);
    process.stdout.write(`${token}\n`);
    return 0;
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
