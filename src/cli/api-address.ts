import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { ConfigError, loadConfig } from '../config.ts';
import type { Globals } from './command.ts';
import { commandError } from './exit-status.ts';
import type { Io } from './io.ts';

/** Where the API is and which key opens it. */
export interface ApiAddress {
  /** Without a slash at its end. */
  readonly url: string;
  /** Secret. */
  readonly key: string;
}

/** The options that say so, for every command that speaks to the API. */
export function addApiOptions(command: Command): Command {
  return command
    .option(
      '--url <url>',
      'where the API is (LETHE_URL; else this machine, at the port that `npm start` takes)',
    )
    .option('--key-file <file>', 'file with the API key (else LETHE_API_KEY, else .lethe/admin-key)');
}

/**
 * Reads them, the environment after them, and the configuration of a Lethe in this folder last.
 *
 * @throws CommandError USAGE_INVALID, API_KEY_NOT_GIVEN
 */
export function addressOf({ url, keyFile }: Globals, io: Io): ApiAddress {
  const local = localService(io);
  const address = apiUrlOf({ url }, io);
  if (keyFile !== undefined) return { url: address, key: readKey(resolve(io.cwd, keyFile)) };
  const key = nonEmpty(io.env['LETHE_API_KEY']);
  if (key !== undefined) return { url: address, key: checkedKey(key, 'LETHE_API_KEY') };
  // A key of this machine's service is told to no other machine.
  if (isThisMachine(address) && existsSync(local.keyFile))
    return { url: address, key: readKey(local.keyFile) };
  throw commandError(
    'API_KEY_NOT_GIVEN',
    'An API key is needed: set LETHE_API_KEY, or name a file with --key-file. `lethe keys create` makes one.',
  );
}

/**
 * Where the API is, for who needs no key.
 *
 * @throws CommandError USAGE_INVALID
 */
export function apiUrlOf({ url }: Pick<Globals, 'url'>, io: Io): string {
  return checkedUrl(url ?? nonEmpty(io.env['LETHE_URL']) ?? localService(io).url);
}

/** What `npm start` would do in this folder. The command line also runs where no Lethe is configured. */
function localService({ env, cwd }: Io): { url: string; keyFile: string } {
  try {
    const { server, dataDirectory } = loadConfig(env, { cwd });
    return {
      url: `http://${reachable(server.host)}:${server.port}`,
      keyFile: join(dataDirectory, 'admin-key'),
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const folder = resolve(cwd, nonEmpty(env['LETHE_DATA_DIR']) ?? '.lethe');
    return { url: `http://127.0.0.1:${nonEmpty(env['PORT']) ?? '8080'}`, keyFile: join(folder, 'admin-key') };
  }
}

/** Who listens at every address listens here, too. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const good =
    url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '';
  if (!good)
    throw commandError('USAGE_INVALID', '--url: expected an http or https URL such as http://127.0.0.1:8080');
  return text.replace(/\/+$/, '');
}

/** Whether a URL leads to this very machine. */
export function isThisMachine(url: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname);
}

function readKey(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw commandError('USAGE_INVALID', `The key file ${path} cannot be read.`, error);
  }
  return checkedKey(text.trim(), path);
}

/** Anything else would break out of the header, and is no key of ours. */
function checkedKey(key: string, source: string): string {
  if (/^[\x21-\x7e]{1,200}$/.test(key)) return key;
  throw commandError(
    'USAGE_INVALID',
    `${source} does not hold an API key: expected one word such as lethe_...`,
  );
}
