import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { startLethe, writeConfig, type LetheProcess } from '../support/lethe-process.ts';
import { createTestFolder } from '../support/postgres.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, PROJECT, type Stage } from '../support/stage.ts';

const listening = z.object({ port: z.number() });
const answer = z.object({ id: z.string(), state: z.string() });

describe('a configuration with mistakes', () => {
  it('ends the process with status 78, naming all of them, before a port is opened', async () => {
    const lethe = startLethe('api', { OPENREPLAY_URL: 'ftp://x', OPENREPLAY_API_KEY: 'k', PORT: 'many' });
    expect(await lethe.ended()).toBe(78);
    expect(lethe.output()).toContain('OPENREPLAY_URL');
    expect(lethe.output()).toContain('PORT');
  });
});

describe.each(queueBackends())('API and two workers as processes on $name', (backend) => {
  let stage: Stage | undefined;
  const processes: LetheProcess[] = [];
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.stop()));
    await stage?.close();
  });

  it('share the load, show each request over HTTP, and stop when told to', async () => {
    const masterKey = randomBytes(32);
    stage = await openStage({ backend, masterKey, withoutWorker: true });
    const env = await writeConfig(await createTestFolder(), {
      databaseUrl: stage.database.connectionString,
      redisUrl: backend.redisUrl,
      prefix: stage.queue.kind === 'redis' ? stage.queue.prefix : '',
      openReplayUrl: stage.openReplayUrl,
      masterKey,
      token: 'stage-token',
    });
    const keys = startLethe('keys', env, { args: ['create', '--name', 'test', '--scope', 'admin'] });
    expect(await keys.ended()).toBe(0);
    const key = /lethe_[\w-]+/.exec(keys.output())?.[0] ?? '';
    const debug = { ...env };
    processes.push(startLethe('api', debug), startLethe('worker', debug), startLethe('worker', debug));
    const [api] = processes;
    if (api === undefined) throw new Error('no API');
    const said = await api.says('the API listens');
    const line = said.split('\n').find((text) => text.includes('the API listens')) ?? '';
    const { port } = listening.parse(JSON.parse(line));
    await Promise.all(processes.slice(1).map((worker) => worker.says('the worker runs')));
    const call = async (path: string, init: RequestInit = {}) => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
      return fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers });
    };

    const ids: string[] = [];
    for (let index = 0; index < 40; index += 1) {
      stage.sandbox.addUser({ projectKey: PROJECT, userId: `person-${index}`, sessions: 1 });
      const body = JSON.stringify({ subject: { userId: `person-${index}` }, projectKeys: [PROJECT] });
      const response = await call('/v1/erasure-requests', { method: 'POST', body });
      expect(response.status).toBe(201);
      ids.push(answer.parse(await response.json()).id);
    }
    for (const id of ids) expect((await stage.settled(id)).state).toBe('completed');

    expect((await call(`/v1/erasure-requests/${ids[0] ?? ''}`)).status).toBe(200);
    expect((await call('/readyz')).status).toBe(200);
    expect((await call('/healthz')).status).toBe(200);
    expect(stage.sandbox.deletionsAsked).toHaveLength(40);
    const output = processes.map((process) => process.output()).join('');
    expect(output).not.toContain('person-');
    expect(await Promise.all(processes.splice(0).map((process) => process.stop()))).toEqual([0, 0, 0]);
  });
});
