import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { openApi, placesIn, problemIn, type Api } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, type Stage } from '../support/stage.ts';

/** The stop button over real HTTP. Each answer is checked against docs/openapi.yaml. */
const [backend] = queueBackends();
let stage: Stage;
let api: Api;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker: true });
  api = await openApi(stage);
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

const command = (reason: unknown = 'upgrade of the server') => ({ json: { reason } });
const states = async () => z.unknown().parse(JSON.parse((await api.call('GET /v1/connections')).body));

describe('a connection', () => {
  it('that never was in trouble is open', async () => {
    expect(await states()).toEqual({
      items: [
        {
          ...{ name: 'default', state: 'open', failures: 0 },
          ...{ pausedAt: null, pausedBy: null, pauseReason: null, shutReason: null, shutUntil: null },
        },
      ],
    });
  });

  it('is paused and resumed by an admin key, and what they did stands in the trail', async () => {
    const paused = await api.call('POST /v1/connections/default/pause', command());
    expect([paused.status, JSON.parse(paused.body)]).toMatchObject([
      200,
      { state: 'paused', pauseReason: 'upgrade of the server' },
    ]);
    expect(await states()).toMatchObject({ items: [{ state: 'paused' }] });
    const taken = await api.call('POST /v1/erasure-requests', { json: { subject: { userId: 'waits' } } });
    expect(taken.status).toBe(201);
    const resumed = await api.call('POST /v1/connections/default/resume', command('done'));
    expect([resumed.status, JSON.parse(resumed.body)]).toMatchObject([
      200,
      { state: 'open', pausedAt: null },
    ]);
    const trail = await api.call('GET /v1/admin-events');
    expect(trail.body).toContain('"connection.paused"');
    expect(trail.body).not.toContain('upgrade of the server');
  });

  it('that is not configured is not found', async () => {
    for (const target of ['other/pause', 'other/resume', '%2e/pause', 'Default/pause']) {
      const answer = await api.call(`POST /v1/connections/${target}`, command());
      expect([answer.status, problemIn(answer).code]).toEqual([404, 'CONNECTION_NOT_FOUND']);
    }
  });

  it('is paused by nobody without the scope, and by nobody without a reason', async () => {
    const key = await api.addKey('requests:write', 'requests:read', 'requests:approve', 'holds:write');
    for (const what of ['pause', 'resume']) {
      const refused = await api.call(`POST /v1/connections/default/${what}`, { ...command(), key });
      expect([refused.status, problemIn(refused).code]).toEqual([403, 'SCOPE_MISSING']);
      const empty = await api.call(`POST /v1/connections/default/${what}`, command(''));
      expect([empty.status, placesIn(empty)]).toEqual([422, ['/reason']]);
    }
    expect((await api.call('GET /v1/connections', { key })).status).toBe(200);
    expect((await api.call('GET /v1/connections', { key: await api.addKey('audit:read') })).status).toBe(403);
  });
});
