import { randomBytes } from 'node:crypto';
import { cp, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { z } from 'zod';
import { startLethe } from '../support/lethe-process.ts';
import { createTestDatabase, createTestFolder } from '../support/postgres.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');

/** What the Dockerfile's last stage copies, as [from, to] below the project and below the image's folder. */
async function filesOfImage(): Promise<[string, string][]> {
  const dockerfile = await readFile(path.join(ROOT, 'Dockerfile'), 'utf8');
  const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  const copies = lastStage.matchAll(/^COPY (?:--from=\w+ )?(\S+) (\S+)$/gm);
  return Array.from(copies, ([, from = '', to = '']) => [
    from.replace('/app/', ''),
    to === './' ? path.basename(from) : to,
  ]);
}

const listening = z.object({ port: z.number() });

async function statusOf(said: string, target: string): Promise<number> {
  const line = said.split('\n').find((text) => text.includes('the API listens')) ?? '';
  const { port } = listening.parse(JSON.parse(line));
  const { status } = await fetch(`http://127.0.0.1:${port}${target}`);
  return status;
}

it('the files that go into the image are all that API and worker need', async () => {
  const database = await createTestDatabase();
  const folder = await createTestFolder();
  const files = await filesOfImage();
  expect(files.map(([from]) => from)).toContain('dist');
  for (const [from, to] of files) {
    const target = path.join(folder, to);
    if (from === 'node_modules') await symlink(path.join(ROOT, from), target);
    else await cp(path.join(ROOT, from), target, { recursive: true });
  }
  const env = {
    DATABASE_URL: database.serviceUrl,
    LETHE_MASTER_KEY: randomBytes(32).toString('base64'),
    OPENREPLAY_URL: 'http://127.0.0.1:9',
    OPENREPLAY_API_KEY: 'k',
    PORT: '0',
  };
  for (const [program, words] of [
    ['api', 'the API listens'],
    ['worker', 'the worker runs'],
  ] as const) {
    const lethe = startLethe(program, env, { cwd: folder, root: folder });
    const said = await lethe.says(words);
    // The document is made when it is asked for, and what the page loads comes with a package, not with the program.
    for (const target of program === 'api' ? ['/openapi.json', '/docs', '/docs/swagger-ui.css'] : []) {
      expect([target, await statusOf(said, target)]).toEqual([target, 200]);
    }
    expect(await lethe.stop()).toBe(0);
  }
  await database.drop();
});

it('what the image copies from the checkout is let through by .dockerignore', async () => {
  const ignore = await readFile(path.join(ROOT, '.dockerignore'), 'utf8');
  const letThrough = ignore.split('\n').flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
  const dockerfile = await readFile(path.join(ROOT, 'Dockerfile'), 'utf8');
  const copied = Array.from(dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm), ([, names = '']) =>
    names.split(' '),
  ).flat();
  expect(copied).toContain('src');
  for (const name of copied) {
    expect(letThrough.some((allowed) => name === allowed || name.startsWith(`${allowed}/`))).toBe(true);
  }
});
