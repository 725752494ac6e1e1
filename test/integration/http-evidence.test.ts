import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { verifyCertificate } from '../../src/evidence/verify-certificate.ts';
import { openApi, PERSON, placesIn, problemIn, type Api } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, PROJECT, type Stage } from '../support/stage.ts';

/** Certificates, lookups and readings over real HTTP. Answers are checked against docs/openapi.yaml, and name nobody. */
const LOOKUP = 'POST /v1/subjects/lookup';
const [backend] = queueBackends();

let stage: Stage;
let api: Api;
let erased: string;
beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend });
  api = await openApi(stage);
  stage.sandbox.addUser({ projectKey: PROJECT, userId: PERSON, sessions: 2 });
  erased = (await stage.submit(PERSON)).id;
  await stage.settled(erased);
  await stage.ledger.sealAll();
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

const adminEvents = z.object({
  events: z.array(z.looseObject({ type: z.string(), actor: z.string(), data: z.looseObject({}) })),
  nextAfter: z.number().nullable(),
});
async function adminTrail() {
  const { rows } = await stage.database.pool.query('SELECT bytes FROM admin_events ORDER BY seq');
  const bytes = z.array(z.object({ bytes: z.instanceof(Buffer) })).parse(rows);
  return adminEvents.shape.events.parse(bytes.map((row): unknown => JSON.parse(row.bytes.toString('utf8'))));
}

describe('GET /v1/erasure-requests/{id}/certificate', () => {
  it('gives a certificate that holds, and notes to whom', async () => {
    const key = await api.addKey('requests:read');
    const answer = await api.call(`GET /v1/erasure-requests/${erased}/certificate`, { key });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-disposition']).toBe(`inline; filename="${erased}-certificate.json"`);
    expect(verifyCertificate(answer.body, { key: stage.ledger.signer }).wrong).toEqual([]);
    const trail = await stage.deps.store.listEventBytes(erased, { after: -1, limit: 1_000 });
    const last: unknown = JSON.parse(Buffer.from(trail?.at(-1) ?? []).toString('utf8'));
    expect(last).toMatchObject({ type: 'certificate.issued', actor: `api_key:${key.id}` });
  });

  it('is refused with the reason, and for what is not there', async () => {
    const { id } = await stage.submit('nobody at all');
    await stage.settled(id);
    const early = await api.call(`GET /v1/erasure-requests/${id}/certificate`);
    expect(problemIn(early)).toMatchObject({ status: 409 });
    await stage.ledger.sealAll();
    const unknown = await api.call(`GET /v1/erasure-requests/er_${'0'.repeat(32)}/certificate`);
    expect(problemIn(unknown)).toMatchObject({ status: 404, code: 'REQUEST_NOT_FOUND' });
    const key = await api.addKey('reports:read');
    const forbidden = await api.call(`GET /v1/erasure-requests/${erased}/certificate`, { key });
    expect(problemIn(forbidden)).toMatchObject({ status: 403, code: 'SCOPE_MISSING' });
  });
});

describe('POST /v1/subjects/lookup', () => {
  it('says that somebody was erased, when, and where the certificate is', async () => {
    const answer = await api.call(LOOKUP, { json: { subject: { userId: PERSON } } });
    expect(answer.status).toBe(200);
    const { completedAt } = await stage.show(erased);
    expect(JSON.parse(answer.body)).toMatchObject({
      erasedAt: completedAt,
      requests: [
        {
          id: erased,
          state: 'completed',
          outcome: 'erased',
          completedAt,
          certificate: `/v1/erasure-requests/${erased}/certificate`,
        },
      ],
    });
  });

  it('finds nothing for somebody who never asked', async () => {
    const answer = await api.call(LOOKUP, { json: { subject: { email: `other-${PERSON}` } } });
    expect(JSON.parse(answer.body)).toMatchObject({ erasedAt: null, requests: [] });
  });

  it('is an event that names the key and the pseudonyms', async () => {
    const key = await api.addKey('audit:read');
    await api.call(LOOKUP, { key, json: { subject: { userId: PERSON } } });
    const ref = stage.deps.vault.subjectRefs({ userId: PERSON })[0]?.value;
    expect((await adminTrail()).at(-1)).toMatchObject({
      type: 'subject.looked_up',
      actor: `api_key:${key.id}`,
      data: { found: 1, subjects: [{ subject_ref: ref, subject_kind: 'user_id', subject_key_version: 1 }] },
    });
  });

  it('needs audit:read, and says which field is wrong', async () => {
    const key = await api.addKey('requests:read');
    expect(problemIn(await api.call(LOOKUP, { key, json: { subject: { userId: PERSON } } }))).toMatchObject({
      code: 'SCOPE_MISSING',
    });
    for (const [json, place] of [
      [{ subject: {} }, '/subject'],
      [{}, '/subject'],
      [{ subject: { userId: 4711 } }, '/subject/userId'],
      [{ subject: { userId: 'a', name: 'b' } }, '/subject/name'],
    ] as const)
      expect(placesIn(await api.call(LOOKUP, { json }))).toEqual([place]);
  });
});

describe('reading a trail', () => {
  it('of a request is an event, who and which', async () => {
    const key = await api.addKey('audit:read');
    await api.call(`GET /v1/erasure-requests/${erased}/events?limit=2`, { key });
    expect((await adminTrail()).at(-1)).toMatchObject({
      type: 'audit.read',
      actor: `api_key:${key.id}`,
      data: { request_id: erased, after: -1, limit: 2 },
    });
  });

  it('of what concerns no request is one, too, and comes to an end also for who reads one by one', async () => {
    const key = await api.addKey('audit:read');
    let read = 0;
    for (let after: number | null = -1; after !== null; read += 1) {
      if (read > 200) throw new Error('it does not end');
      const { body } = await api.call(`GET /v1/admin-events?limit=1&after=${after}`, { key });
      after = adminEvents.parse(JSON.parse(body)).nextAfter;
    }
    const readings = (await adminTrail()).filter(
      ({ type, actor }) => type === 'audit.read' && actor === `api_key:${key.id}`,
    );
    expect(readings.length).toBeGreaterThan(3);
    expect(readings.length).toBeLessThan(read);
  });
});
