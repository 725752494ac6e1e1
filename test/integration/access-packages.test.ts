import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { beginDownload } from '../../src/app/download-package.ts';
import { cancelRequest } from '../../src/app/cancel-request.ts';
import { holdRequest, releaseRequest } from '../../src/app/hold-request.ts';
import { refuseRequest } from '../../src/app/refuse-request.ts';
import { retryRequest } from '../../src/app/retry-request.ts';
import { createHold, releaseHold } from '../../src/app/standing-holds.ts';
import { verifyIdentity } from '../../src/app/verify-identity.ts';
import { addPerson, ask, download, linesOf, packageOf, unzipped } from '../support/access.ts';
import { openApi, problemIn, type Api, type TestKey } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, OTHER_PROJECT, PROJECT, type Stage } from '../support/stage.ts';

const [backend] = queueBackends();

const manifestShape = z.looseObject({
  projects: z.array(
    z.looseObject({
      folder: z.string(),
      projectKey: z.string().nullable(),
      sessions: z.number(),
      events: z.number(),
      gaps: z.array(z.unknown()),
    }),
  ),
  files: z.array(z.object({ name: z.string(), bytes: z.number(), sha256: z.string() })),
});

function manifestOf(files: ReadonlyMap<string, Buffer>) {
  return manifestShape.parse(JSON.parse(files.get('manifest.json')?.toString('utf8') ?? ''));
}

const sessionLine = z.looseObject({ sessionId: z.string() });
const idsIn = (file: Buffer | undefined) => linesOf(file).map((line) => sessionLine.parse(line).sessionId);

let stage: Stage;
let api: Api;
let reader: TestKey;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  // Everything is delivered twice, and a step reads so little that each package takes many.
  stage = await openStage({ backend, deliveries: 2, access: { pageSize: 4, callsPerStep: 5 } });
  api = await openApi(stage);
  reader = await api.addKey('access:read');
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

const pathOf = (id: string) => `/v1/erasure-requests/${id}/access-package`;
const asked = (userId: string) =>
  stage.sandbox.deletionsAsked.filter((deletion) => deletion.userId === userId);
const eventsOf = async (id: string) => (await stage.trail(id)).map(({ type }) => type);

describe('access alone', () => {
  it('gives everything there is in every project, once, and deletes nothing', async () => {
    const userId = 'asks & "sees"';
    const sessions = addPerson(stage, { userId, sessions: 11, eventsCount: 9 });
    const others = addPerson(stage, { userId, sessions: 1, eventsCount: 4, projectKey: OTHER_PROJECT });
    const id = await ask(stage, { userId, type: 'access', projectKeys: [PROJECT, OTHER_PROJECT] });
    const view = await stage.settled(id);
    expect(view).toMatchObject({
      type: 'access',
      state: 'completed',
      outcome: 'access_provided',
      waiting: null,
      tasks: [{ state: 'gathered' }, { state: 'gathered' }],
      accessPackage: { state: 'ready', gaps: 0, downloadedAt: null },
    });

    const answer = await download(api.port, pathOf(id), { key: reader });
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/zip',
        'content-disposition': `attachment; filename="${id}.zip"`,
        'cache-control': 'no-store',
      },
    });
    const files = await unzipped(answer.bytes);
    const manifest = manifestOf(files);
    expect([...files.keys()]).toEqual(['manifest.json', ...manifest.files.map(({ name }) => name)]);
    for (const { name, bytes, sha256 } of manifest.files) {
      const file = files.get(name) ?? Buffer.alloc(0);
      expect([name, file.length, createHash('sha256').update(file).digest('hex')]).toEqual([
        name,
        bytes,
        sha256,
      ]);
    }
    for (const [projectKey, made] of [
      [PROJECT, sessions],
      [OTHER_PROJECT, others],
    ] as const) {
      const found = manifest.projects.find((project) => project.projectKey === projectKey);
      const folder = found?.folder ?? '';
      expect(idsIn(files.get(`${folder}/sessions.ndjson`))).toEqual(made.map(({ sessionId }) => sessionId));
      expect(idsIn(files.get(`${folder}/events.ndjson`))).toEqual(
        made.flatMap(({ sessionId, eventsCount }) => Array.from({ length: eventsCount }, () => sessionId)),
      );
      expect(linesOf(files.get(`${folder}/user.json`))).toMatchObject([{ $sdk_version: '16.4.0' }]);
    }
    expect(linesOf(files.get('001/events.ndjson'))[0]).toMatchObject({
      event: { properties: { value: '/checkout' } },
    });
    expect(asked(userId)).toEqual([]);
    expect(stage.sandbox.sessionCount(PROJECT, userId)).toBe(11);

    const again = await api.call(`GET ${pathOf(id)}`, { key: reader });
    expect([again.status, problemIn(again).code]).toEqual([410, 'PACKAGE_GONE']);
    const after = await stage.show(id);
    expect(after.accessPackage).toMatchObject({ state: 'downloaded' });
    checkTrail(after, await stage.trail(id));
    const types = await eventsOf(id);
    for (const type of ['gathering', 'ready', 'download_begun', 'downloaded'])
      expect(types.filter((each) => each === `package.${type}`)).toHaveLength(1);
    expect(await keptOf(id)).toEqual({ parts: 0, progress: 0, manifests: 0, work: 0 });
  });

  it('needs to know who asks, and reads nothing before', async () => {
    addPerson(stage, { userId: 'stranger', sessions: 1, eventsCount: 1 });
    const before = stage.sandbox.calls.getUser;
    const id = await ask(stage, { userId: 'stranger', type: 'access', identified: false });
    expect(await stage.show(id)).toMatchObject({
      state: 'awaiting_identity',
      identity: { required: true },
      accessPackage: null,
    });
    expect(stage.sandbox.calls.getUser).toBe(before);
    const early = await api.call(`GET ${pathOf(id)}`, { key: reader });
    expect([early.status, problemIn(early).code]).toEqual([404, 'PACKAGE_NOT_FOUND']);
    await verifyIdentity(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId, method: 'document' });
    expect(await stage.settled(id)).toMatchObject({ outcome: 'access_provided' });
  });

  it('is given for who is not known, with a manifest that says so', async () => {
    const id = await ask(stage, { userId: 'unheard-of', type: 'access' });
    await stage.settled(id);
    const files = await packageOf(stage, id);
    expect([...files.keys()]).toEqual(['manifest.json']);
    expect(manifestOf(files).projects).toMatchObject([{ userKnown: false, sessions: 0, gaps: [] }]);
  });

  it('outlasts a server that fails, and loses nothing by it', async () => {
    const sessions = addPerson(stage, { userId: 'stormy', sessions: 9, eventsCount: 6 });
    stage.sandbox.script('getUser', 'unauthorized');
    stage.sandbox.script('listUserSessions', 'errors500', 2);
    stage.sandbox.script('listSessionEvents', 'cutBefore', 2);
    stage.sandbox.script('listSessionEvents', 'rateLimited');
    const id = await ask(stage, { userId: 'stormy', type: 'access' });
    expect(await stage.settled(id)).toMatchObject({ state: 'completed', accessPackage: { gaps: 0 } });
    const files = await packageOf(stage, id);
    expect(idsIn(files.get('001/events.ndjson'))).toEqual(
      sessions.flatMap(({ sessionId }) => Array.from({ length: 6 }, () => sessionId)),
    );
    const delays = (await stage.trail(id)).filter(({ type }) => type === 'task.step_delayed');
    expect(delays.map(({ data }) => data['reason'])).toEqual(
      expect.arrayContaining(['key_refused', 'server_error', 'no_answer', 'rate_limited']),
    );
  });

  it('leaves only ciphertext in the database, and no identifier in its events', async () => {
    const userId = 'very-private-name@example.org';
    const [session] = addPerson(stage, { userId, sessions: 3, eventsCount: 3 });
    const id = await ask(stage, { userId, type: 'access' });
    await stage.settled(id);
    const parts = await stage.database.pool.query(
      'SELECT sealed FROM package_parts WHERE request_id = $1 UNION ALL SELECT progress_sealed FROM package_tasks WHERE request_id = $1',
      [id],
    );
    expect(parts.rows.length).toBeGreaterThanOrEqual(4);
    const { rows } = await stage.database.pool.query(
      `SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('public', 'bullmq')`,
    );
    for (const secret of ['very-private-name', session?.sessionId ?? '', '/checkout']) {
      const hex = Buffer.from(secret).toString('hex');
      for (const { table_schema: schema, table_name: table } of rows) {
        const found = await stage.database.pool.query(
          `SELECT count(*)::int AS found FROM "${schema}"."${table}" AS t
           WHERE to_jsonb(t)::text LIKE $1 OR to_jsonb(t)::text LIKE $2`,
          [`%${secret}%`, `%${hex}%`],
        );
        expect([table, secret, found.rows]).toEqual([table, secret, [{ found: 0 }]]);
      }
    }
    expect((await packageOf(stage, id)).get('001/user.json')?.toString('utf8')).toContain(
      'very-private-name',
    );
  });
});

async function keptOf(id: string) {
  const { rows } = await stage.database.pool.query(
    `SELECT (SELECT count(*)::int FROM package_parts WHERE request_id = $1) AS parts,
       (SELECT count(progress_sealed)::int FROM package_tasks WHERE request_id = $1) AS progress,
       (SELECT count(manifest_sealed)::int FROM access_packages WHERE request_id = $1) AS manifests,
       (SELECT count(*)::int FROM work WHERE request_id = $1 AND kind <> 'destroy') AS work`,
    [id],
  );
  return z.array(z.unknown()).parse(rows)[0];
}

describe('access and erasure', () => {
  it('erases only what the package holds already', async () => {
    const sessions = addPerson(stage, { userId: 'leaves', sessions: 6, eventsCount: 5 });
    const id = await ask(stage, { userId: 'leaves', type: 'access_and_erasure' });
    const view = await stage.settled(id);
    expect(view).toMatchObject({
      state: 'completed',
      outcome: 'erased',
      tasks: [{ state: 'erased' }],
      accessPackage: { state: 'ready' },
    });
    checkTrail(view, await stage.trail(id));
    const types = await eventsOf(id);
    expect(types.indexOf('package.ready')).toBeLessThan(types.indexOf('task.submission_intended'));
    expect(stage.sandbox.hasUser(PROJECT, 'leaves')).toBe(false);
    const files = await unzipped((await download(api.port, pathOf(id), { key: reader })).bytes);
    expect(idsIn(files.get('001/sessions.ndjson'))).toEqual(sessions.map(({ sessionId }) => sessionId));
  });

  it('hands what could not be read to a person, who has it read again', async () => {
    addPerson(stage, { userId: 'patchy', sessions: 2, eventsCount: 3 });
    stage.sandbox.script('listSessionEvents', 'jobHiccup404');
    const id = await ask(stage, { userId: 'patchy', type: 'access_and_erasure' });
    const view = await stage.settled(id);
    expect(view).toMatchObject({
      state: 'needs_attention',
      attention: 'package_incomplete',
      accessPackage: { state: 'ready', gaps: 1 },
      tasks: [{ state: 'pending' }],
    });
    expect(asked('patchy')).toEqual([]);
    const files = await packageOf(stage, id);
    expect(linesOf(files.get('001/gaps.ndjson'))).toMatchObject([{ what: 'events', reason: 'not_found' }]);
    await retryRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId });
    const after = await stage.settled(id);
    checkTrail(after, await stage.trail(id));
    expect(after).toMatchObject({ outcome: 'erased', accessPackage: { gaps: 0 } });
    const whole = await packageOf(stage, id);
    expect(whole.has('001/gaps.ndjson')).toBe(false);
    expect(idsIn(whole.get('001/events.ndjson'))).toHaveLength(6);
  });

  it('goes on without what could not be read when a person accepts that', async () => {
    addPerson(stage, { userId: 'accepted', sessions: 2, eventsCount: 3 });
    stage.sandbox.script('listSessionEvents', 'jobHiccup404');
    const id = await ask(stage, { userId: 'accepted', type: 'access' });
    expect(await stage.settled(id)).toMatchObject({ attention: 'package_incomplete' });
    await retryRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId, acceptIncomplete: true });
    const view = await stage.settled(id);
    checkTrail(view, await stage.trail(id));
    expect(view).toMatchObject({ outcome: 'access_provided', tasks: [{ state: 'gathered' }] });
    expect(asked('accepted')).toEqual([]);
  });

  it('is given under a legal hold, and erased after it', async () => {
    addPerson(stage, { userId: 'litigant', sessions: 2, eventsCount: 1 });
    const { id: holdId } = await createHold(stage.deps, {
      subject: { userId: 'litigant' },
      reason: 'litigation',
      apiKeyId: stage.apiKeyId,
    });
    const id = await ask(stage, { userId: 'litigant', type: 'access_and_erasure' });
    const held = await stage.until(id, ({ state }) => state === 'on_hold');
    expect(held).toMatchObject({ hold: { from: 'erasing' }, accessPackage: { state: 'ready' } });
    expect(asked('litigant')).toEqual([]);
    await releaseHold(stage.deps, { holdId, reason: 'settled', apiKeyId: stage.apiKeyId });
    const view = await stage.settled(id);
    checkTrail(view, await stage.trail(id));
    expect(view).toMatchObject({ outcome: 'erased' });
  });

  it('goes on gathering while a person holds it, and waits with the erasure', async () => {
    addPerson(stage, { userId: 'held', sessions: 12, eventsCount: 9 });
    const id = await ask(stage, { userId: 'held', type: 'access_and_erasure' });
    await stage.until(id, ({ state }) => state === 'gathering');
    await holdRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId, text: 'wait' });
    // The package and its request are read one after the other.
    await stage.until(
      id,
      ({ hold, accessPackage }) => hold?.from === 'erasing' && accessPackage?.state === 'ready',
    );
    expect(asked('held')).toEqual([]);
    await releaseRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId, text: 'go' });
    const view = await stage.settled(id);
    checkTrail(view, await stage.trail(id));
    expect(view).toMatchObject({ outcome: 'erased' });
  });

  it.each([
    ['cancelled', (id: string) => cancelRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId })],
    [
      'refused',
      (id: string) =>
        refuseRequest(stage.deps, {
          requestId: id,
          apiKeyId: stage.apiKeyId,
          ground: 'excessive',
          text: 'no',
        }),
    ],
  ])('leaves nothing behind when it is %s while it is gathered', async (state, end) => {
    addPerson(stage, { userId: `ends-${state}`, sessions: 12, eventsCount: 9 });
    const id = await ask(stage, { userId: `ends-${state}`, type: 'access_and_erasure' });
    await stage.until(id, (view) => view.state === 'gathering');
    await end(id);
    const view = await stage.show(id);
    expect(view).toMatchObject({ state, accessPackage: { state: 'withdrawn' } });
    checkTrail(view, await stage.trail(id));
    expect(await keptOf(id)).toEqual({ parts: 0, progress: 0, manifests: 0, work: 0 });
    const gone = await api.call(`GET ${pathOf(id)}`, { key: reader });
    expect(problemIn(gone).code).toBe('PACKAGE_GONE');
    expect(asked(`ends-${state}`)).toEqual([]);
  });
});

describe('the download', () => {
  it('needs its scope, and there is none where no access was asked for', async () => {
    const { id } = await stage.submit('nobody-asks');
    const none = await api.call(`GET ${pathOf(id)}`, { key: reader });
    expect([none.status, problemIn(none).code]).toEqual([404, 'PACKAGE_NOT_FOUND']);
    const key = await api.addKey('requests:read', 'requests:approve', 'audit:read');
    const refused = await api.call(`GET ${pathOf(id)}`, { key });
    expect([refused.status, problemIn(refused).code]).toEqual([403, 'SCOPE_MISSING']);
    const absent = await api.call(`GET ${pathOf(`er_${'0'.repeat(32)}`)}`, { key: reader });
    expect([absent.status, problemIn(absent).code]).toEqual([404, 'REQUEST_NOT_FOUND']);
  });

  it('begins with nobody else at it; one that broke off is tried again, and each try is on record', async () => {
    addPerson(stage, { userId: 'twice', sessions: 1, eventsCount: 2 });
    const id = await ask(stage, { userId: 'twice', type: 'access' });
    await stage.settled(id);
    // A look at the head begins nothing.
    expect(await download(api.port, pathOf(id), { key: reader, method: 'HEAD' })).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/zip' },
    });
    const first = await beginDownload(stage.deps, { requestId: id, apiKeyId: reader.id });
    const second = await api.call(`GET ${pathOf(id)}`, { key: reader });
    expect([second.status, problemIn(second).code]).toEqual([409, 'PACKAGE_IN_USE']);
    await first.broken();
    expect(await download(api.port, pathOf(id), { key: reader })).toMatchObject({ status: 200 });
    await expect(first.sent()).rejects.toMatchObject({ code: 'PACKAGE_GONE' });
    const types = (await eventsOf(id)).filter((type) => type.startsWith('package.down'));
    expect(types).toEqual(['package.download_begun', 'package.download_begun', 'package.downloaded']);
  });

  it('ends without its end where a piece was changed, moved or taken away', async () => {
    addPerson(stage, { userId: 'tampered', sessions: 2, eventsCount: 2 });
    const id = await ask(stage, { userId: 'tampered', type: 'access' });
    await stage.settled(id);
    const { pool } = stage.database;
    await pool.query(
      `UPDATE package_parts AS one SET sealed = other.sealed FROM package_parts AS other
       WHERE one.request_id = $1 AND other.request_id = $1 AND one.file = 'events' AND other.file = 'sessions'
         AND one.seq = 0 AND other.seq = 0`,
      [id],
    );
    await expect(download(api.port, pathOf(id), { key: reader })).rejects.toThrow();
    await pool.query(`DELETE FROM package_parts WHERE request_id = $1 AND file = 'events'`, [id]);
    await expect(download(api.port, pathOf(id), { key: reader })).rejects.toThrow();
    expect((await stage.show(id)).accessPackage).toMatchObject({ state: 'ready' });
  });
});
