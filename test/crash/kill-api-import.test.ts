import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { z } from 'zod';
import { createApiKey } from '../../src/app/create-api-key.ts';
import type { ImportView } from '../../src/app/import-schema.ts';
import { startLethe, stageEnvironment, type LetheProcess } from '../support/lethe-process.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, type Stage } from '../support/stage.ts';

const ROWS = 3_000;
const CSV = `userId,reference\n${Array.from({ length: ROWS }, (_, index) => `row-${index}@example.org,${index}\n`).join('')}`;

const [backend] = queueBackends();
let stage: Stage;
let env: Record<string, string>;
let token: string;
const everStarted: LetheProcess[] = [];

beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  const masterKey = randomBytes(32);
  stage = await openStage({ backend, masterKey, withoutWorker: true });
  ({ token } = await createApiKey(stage.deps, { name: 'crash', scopes: ['requests:write'] }, 'local'));
  env = await stageEnvironment(stage, masterKey);
});
afterAll(async () => {
  await Promise.all(everStarted.map((process) => process.stop()));
  await stage.close();
});

async function startApi(): Promise<{ api: LetheProcess; port: number }> {
  const api = startLethe('api', env);
  everStarted.push(api);
  const said = await api.says(/"port":\d+.*the API listens/);
  return { api, port: Number(/"port":(\d+)/.exec(said)?.[1]) };
}

/** Sends the file, all but `heldBack` bytes of it; gives the answer's status and body, or undefined when there is none. */
function send(port: number, heldBack = 0): Promise<{ status: number; body: string } | undefined> {
  return new Promise((resolve) => {
    const request = http.request({
      host: '127.0.0.1',
      port,
      method: 'POST',
      path: '/v1/imports',
      agent: false,
    });
    request.setHeader('authorization', `Bearer ${token}`);
    request.setHeader('content-type', 'text/csv');
    request.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, body });
      });
    });
    request.once('error', () => {
      resolve(undefined);
    });
    request.write(CSV.slice(0, CSV.length - heldBack));
    if (heldBack === 0) request.end();
  });
}

const counted = z.tuple([z.object({ found: z.number() })]);
async function count(sql: string): Promise<number> {
  const { rows } = await stage.database.pool.query(`SELECT count(*)::int AS found FROM ${sql}`);
  return counted.parse(rows)[0].found;
}

it('kill -9 of the API in the middle of an import: sent again, nothing is lost and nothing doubled', async () => {
  const victim = await startApi();
  const broken = send(victim.port, 10);
  while ((await count('erasure_requests')) < 500) continue;
  await victim.api.kill();
  expect(await broken).toBeUndefined();
  const before = await count('erasure_requests');
  expect(before % 250).toBe(0);
  expect(await count("imports WHERE state = 'receiving'")).toBe(1);

  const { port } = await startApi();
  const answer = await send(port);
  expect(answer?.status).toBe(201);
  expect(z.custom<ImportView>().parse(JSON.parse(answer?.body ?? ''))).toMatchObject({
    ...{ state: 'completed', rows: ROWS, rejected: 0 },
    ...{ accepted: ROWS - before, repeated: before },
  });

  expect(await count('erasure_requests')).toBe(ROWS);
  expect(await count('(SELECT DISTINCT subject_ref FROM erasure_requests) AS persons')).toBe(ROWS);
  expect(await count('import_rows')).toBe(ROWS);
  expect(await count('audit_events')).toBe(2 * ROWS);
  expect(await count('request_subjects')).toBe(ROWS);
  const { rows: ids } = await stage.database.pool.query(
    'SELECT id FROM erasure_requests ORDER BY id LIMIT 20',
  );
  for (const { id } of z.array(z.object({ id: z.string() })).parse(ids)) {
    checkTrail(await stage.show(id), await stage.trail(id));
  }
  for (const process of everStarted) expect(process.output()).not.toContain('@example.org');
});
