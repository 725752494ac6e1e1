import { describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import stringWidth from 'string-width';
import { createProgram } from '../../src/cli/run.ts';
import { plain, table, wrapped } from '../../src/cli/table.ts';
import { createWorld, jsonLines, lethe } from '../support/cli.ts';
import { startHttpServer } from '../support/http-server.ts';

const KEY = { LETHE_API_KEY: 'lethe_x' };

function leavesOf(command: Command, before: string[] = []): string[][] {
  const names = [...before, command.name()];
  if (command.commands.length === 0) return [names];
  return command.commands.flatMap((inner) => leavesOf(inner, names));
}

const program = createProgram({ io: createWorld().io, status: 0 });
const leaves = leavesOf(program).map((names) => names.slice(1).join(' '));

describe('the help', () => {
  it('is there for every command of docs/cli.md', () => {
    const verbs =
      'create list show follow events preview cancel verify-identity approve refuse extend hold release retry close subject';
    expect(leaves).toEqual(expect.arrayContaining(verbs.split(' ').map((verb) => `requests ${verb}`)));
    expect(leaves.filter((name) => name.startsWith('openreplay '))).toHaveLength(13);
    expect(leaves).toEqual(
      expect.arrayContaining(['import', 'deadlines', 'doctor', 'holds create', 'keys list']),
    );
    const page = readFileSync(path.join(import.meta.dirname, '..', '..', 'docs', 'cli.md'), 'utf8');
    for (const name of leaves.filter((leaf) => !leaf.startsWith('openreplay '))) {
      expect(page).toContain(`\`${name}`);
    }
  });

  it.each(leaves)('of `%s` has examples of it, and fits into 80 columns', async (name) => {
    const { status, out } = await lethe([...name.split(' '), '--help']);
    expect(status).toBe(0);
    const [text = '', calls = ''] = out.split('\nExamples:\n');
    expect(calls.startsWith(`  $ lethe ${name}`)).toBe(true);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe('called wrongly, it ends with status 2 and says why', () => {
  it.each([
    [[], 'a command is missing'],
    [['requests'], 'a command is missing'],
    [['nonsense'], "unknown command 'nonsense'"],
    [['requests', 'show'], "missing required argument 'id'"],
    [['requests', 'show', 'a', 'b'], 'too many arguments'],
    [['requests', 'list', '--stat', 'x'], "unknown option '--stat'"],
    [['requests', 'list', '--state', 'x'], '--state: expected one of received'],
    [['requests', 'list', '--limit', '0'], '--limit: expected a whole number from 1'],
    [['requests', 'list', '--url', 'ftp://x'], '--url: expected an http or https URL'],
    [['requests', 'create'], 'whom is it about?'],
    [
      ['requests', 'create', '--user-id', '-', '--note', '-'],
      'only one option can be read from standard input',
    ],
    [['requests', 'create', '--user-id', 'a', '--user-id-file', 'b'], 'expected only one of them'],
    [['requests', 'create', '--user-id-file', 'gone'], 'cannot be read'],
    [['requests', 'create', '--user-id', '-'], '--user-id: expected an identifier'],
    [['requests', 'refuse', 'er_1', '--ground', 'x'], '--text <text> is needed'],
    [['import', 'x.txt'], '--format is needed'],
    [['openreplay', 'getUser', '--project', 'p'], '--user-id <id> or --user-id-file <file>'],
    [['openreplay', 'deleteUser', '--project', 'p', '--user-id', 'u'], '--yes is needed'],
    [['openreplay', 'searchUsers', '--project', 'p', '--filter', '[]'], '--filter: expected a JSON object'],
    [['openreplay', 'listUserSessions', '--from', 'soon'], '--from: expected RFC 3339'],
    [['keys', 'create', '--name', 'x', '--scope', 'everything'], '--scope: expected one of requests:write'],
    [['keys', 'create', '--scope', 'admin'], '--name: expected 1 to 100 characters'],
    [
      ['keys', 'create', '--name', 'x', '--scope', 'admin', '--expires', 'tomorrow'],
      '--expires: expected a time',
    ],
    [['keys', 'rotate', 'ak_1', '--grace', 'soon'], '--grace: expected a whole number'],
    [['keys', 'list', '--name', 'x'], "unknown option '--name'"],
  ])('%j', async (argv, said) => {
    const { status, out, err } = await lethe(argv, { env: KEY });
    expect(status).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(said);
  });

  it.each([
    ['two lines', 'a\nb\n', 'expected one line'],
    ['bytes that are not UTF-8', Uint8Array.of(0x61, 0xff), 'expected UTF-8'],
    ['nothing but a line end', '\n', 'expected an identifier'],
  ])('an identifier from standard input that is %s', async (_what, stdin, said) => {
    const { status, err } = await lethe(['requests', 'preview', '--user-id', '-'], { env: KEY, stdin });
    expect(status).toBe(2);
    expect(err).toContain(said);
  });

  it('tells programs the same as JSON on standard output', async () => {
    const { status, out } = await lethe(['requests', 'show', '--json']);
    expect(status).toBe(2);
    expect(jsonLines(out)).toEqual([
      { error: expect.objectContaining({ code: 'USAGE_INVALID', exitStatus: 2 }) },
    ]);
  });
});

describe('the key of the embedded default', () => {
  it('is told to this machine only', async () => {
    const cwd = mkdtempSync(path.join(tmpdir(), 'lethe-cli-'));
    mkdirSync(path.join(cwd, '.lethe'));
    writeFileSync(path.join(cwd, '.lethe', 'admin-key'), 'lethe_local\n');
    const seen: unknown[] = [];
    const server = await startHttpServer((req, res) => {
      seen.push(req.headers.authorization);
      res.setHeader('content-type', 'application/json').end('{"items":[],"nextCursor":null}');
    });
    const here = await lethe(['requests', 'list'], { cwd, env: { PORT: String(server.port) } });
    expect(here).toEqual({ status: 0, out: 'none\n', err: '' });
    expect(seen).toEqual(['Bearer lethe_local']);
    const elsewhere = await lethe(['requests', 'list'], { cwd, env: { LETHE_URL: 'http://192.0.2.1' } });
    expect(elsewhere.status).toBe(77);
    expect(elsewhere.err).toContain('An API key is needed');
    await server.close();
    rmSync(cwd, { recursive: true });
  });
});

describe('what answers', () => {
  it.each([
    { what: 'a page of another service', body: '<html></html>', exit: 69, said: 'is not Lethe' },
    { what: 'a redirect', status: 302, body: '', exit: 69, said: 'is not Lethe' },
    {
      what: 'an older Lethe',
      status: 404,
      body: '{"code":"ROUTE_NOT_FOUND","title":"x"}',
      exit: 69,
      said: 'of a version that does not offer this',
    },
    {
      what: 'a Lethe that limits',
      status: 429,
      body: '{"code":"RATE_LIMITED","title":"Slower"}',
      exit: 69,
      said: 'Slower',
    },
    {
      what: 'a Lethe that refuses',
      status: 409,
      body: '{"code":"REQUEST_CLOSED","title":"Closed","detail":"It is."}',
      exit: 1,
      said: 'Closed. It is.',
    },
  ])('$what, has its status and its words', async ({ status = 200, body, exit, said }) => {
    const server = await startHttpServer((_req, res) => {
      res.writeHead(status, { location: '/elsewhere' }).end(body);
    });
    const env = { ...KEY, LETHE_URL: server.origin };
    const result = await lethe(['requests', 'close', 'er_1', '--reason', 'x'], { env });
    await server.close();
    expect(result.status).toBe(exit);
    expect(result.err).toContain(said);
  });

  it('nobody, at an address where nothing listens', async () => {
    const server = await startHttpServer(() => undefined);
    await server.close();
    const { status, err } = await lethe(['deadlines'], { env: { ...KEY, LETHE_URL: server.origin } });
    expect(status).toBe(69);
    expect(err).toContain(`does not answer at ${server.origin} (ECONNREFUSED)`);
  });
});

describe('lethe import', () => {
  const summary = { id: 'im_1', state: 'receiving', rows: 3, accepted: 2, repeated: 0, rejected: 1 };

  async function importing(argv: string[], world: { terminal?: boolean } = {}) {
    const cwd = mkdtempSync(path.join(tmpdir(), 'lethe-cli-'));
    const content = `userId\n${'somebody\n'.repeat(50_000)}`;
    writeFileSync(path.join(cwd, 'list.csv'), content);
    const asked: string[] = [];
    const keys = new Set<unknown>();
    let body = '';
    let answerUpload: () => void = () => undefined;
    const server = await startHttpServer((req, res) => {
      const { method = '', headers } = req;
      const url = new URL(req.url ?? '', 'http://x');
      asked.push(`${method} ${url.pathname} ${headers['content-type'] ?? ''}`);
      keys.add(headers['idempotency-key'] ?? url.searchParams.get('idempotencyKey'));
      res.setHeader('content-type', 'application/json');
      if (method === 'GET') {
        res.end(JSON.stringify({ items: [summary], nextCursor: null }));
        answerUpload();
        return;
      }
      req.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      answerUpload = () => res.end(JSON.stringify({ ...summary, state: 'completed' }));
    });
    const env = { ...KEY, LETHE_URL: server.origin };
    const result = await lethe(['import', 'list.csv', ...argv], { env, cwd, ...world });
    await server.close();
    rmSync(cwd, { recursive: true });
    return { result, asked, keys, whole: body === content };
  }

  it('streams the file, and says whether all of it was accepted', async () => {
    const { result, asked, keys, whole } = await importing(['--json']);
    expect(whole).toBe(true);
    expect(asked).toEqual(['POST /v1/imports text/csv', 'GET /v1/imports ']);
    expect(keys.size).toBe(1);
    expect(jsonLines(result.out)).toMatchObject([{ state: 'completed', rejected: 1 }]);
    expect(result.status).toBe(1);
  });

  it('shows how far it is, under a key that was given', async () => {
    const { result, keys } = await importing(['--idempotency-key', 'march']);
    expect([...keys]).toEqual(['march']);
    expect(result.err).toContain('3 rows: 2 accepted, 1 rejected');
  });
});

describe('texts of others', () => {
  it('cannot command a terminal', () => {
    expect(plain('a\u001b[2Jb\u009bc\u202ed')).toBe('a\ufffd[2Jb\ufffdc\ufffdd');
  });

  it('stay within the columns, wide characters too, and ids are never cut', () => {
    const id = 'er_0192f0c1a2b37c4d8e5f60718293a4b5';
    const columns = [{ title: 'id' }, { title: 'what', flexible: true }, { title: 'why', flexible: true }];
    const text = table(columns, [[id, '李小龍'.repeat(20), 'because '.repeat(10)]], 80);
    expect(text).toContain(id);
    for (const line of text.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(80);
    expect(text).toContain('…');
  });

  it('are broken between words', () => {
    expect(wrapped('one two three', 7, '  ')).toBe('one two\n  three');
  });
});
