import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { isAlive } from '../../src/embedded/postmaster-file.ts';
import { startEmbeddedPostgres } from '../../src/embedded/start-embedded-postgres.ts';
import { createTestFolder } from '../support/postgres.ts';
import { findRedisProgram, startRedisServer } from '../support/redis-server.js';

const REAPER = path.join(import.meta.dirname, '../support/environment-reaper.js');
/** Keeps a reaper waiting through its standard input, as jest's main process does. */
const HOLDER = `const { spawn } = require('node:child_process');
  const options = { stdio: ['pipe', 'ignore', 'ignore'], detached: true };
  console.log(spawn(process.execPath, process.argv.slice(1), options).pid);
  setInterval(() => {}, 1000);`;

it('stops what a killed test run left below its folder, and nothing else', async () => {
  const folder = await createTestFolder();
  const server = await startEmbeddedPostgres({
    directory: path.join(folder, 'deep', '.lethe'),
    settings: { fsync: 'off' },
  });
  const redis =
    findRedisProgram() === undefined
      ? undefined
      : await startRedisServer({ directory: path.join(folder, 'redis') });
  // A left pid file whose number is another program's by now.
  await mkdir(path.join(folder, 'old'));
  await writeFile(path.join(folder, 'old', 'postmaster.pid'), `${process.pid}\n`);

  const holder = spawn(process.execPath, ['-e', HOLDER, REAPER, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const reaperPid = await readNumber(holder.stdout);
  expect(isAlive(server.pid)).toBe(true);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  while (isAlive(reaperPid)) await new Promise((resolve) => setTimeout(resolve, 20));

  expect(isAlive(server.pid)).toBe(false);
  if (redis !== undefined) expect(isAlive(redis.pid)).toBe(false);
  await expect(access(folder)).rejects.toMatchObject({ code: 'ENOENT' });
});

async function readNumber(output: AsyncIterable<unknown>): Promise<number> {
  for await (const chunk of output) return Number(String(chunk));
  throw new Error('no output');
}
