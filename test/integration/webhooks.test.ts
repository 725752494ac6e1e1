import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { DeliveryView, SourceList } from '../../src/app/delivery-schema.ts';
import type { TicketSource } from '../../src/app/ports/intake.ts';
import { SOURCE_KINDS, type SourceKind } from '../../src/domain/ticket.ts';
import { openApi, PERSON, viewIn, type Answer, type Api } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage } from '../support/stage.ts';
import { bodyOf, RULES, secretsOf, sent, sourceOf, ticketSent, type Sent } from '../support/ticketing.ts';
import { dumpDatabase, tracesOf } from '../support/traces.ts';

const [backend] = queueBackends();
if (backend === undefined) throw new Error('no queue backend');

/** Those of the table of tests, some for single tests, and one that is mended while they run. */
const sources = new Map<string, TicketSource>();
let stage: Stage;
let api: Api;

beforeAll(async () => {
  for (const kind of SOURCE_KINDS) sources.set(kind, sourceOf(kind));
  sources.set('mended', sourceOf('shared-secret', { name: 'mended' }));
  sources.set(
    'limited',
    sourceOf('github', { name: 'limited', rateLimit: { requests: 2, perSeconds: 3600 } }),
  );
  stage = await openStage({
    backend,
    // At least once is what a queue promises.
    deliveries: 2,
    parts: { intake: { sources, maxBodyBytes: 10_000, keepUnmappableMs: 3_600_000 } },
  });
  api = await openApi(stage);
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

async function deliver(source: string, { headers, body }: Sent): Promise<Answer> {
  return api.call(`POST /webhooks/${source}`, {
    key: null,
    body,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('waited in vain');
    await sleep(20);
  }
}

const ids = z.object({ items: z.array(z.looseObject({ id: z.string() })) });

async function requestsOf(reference: string): Promise<string[]> {
  const answer = await api.call(`GET /v1/erasure-requests?reference=${encodeURIComponent(reference)}`);
  return ids.parse(JSON.parse(answer.body)).items.map(({ id }) => id);
}

async function requestOf(reference: string): Promise<string> {
  return eventually(async () => (await requestsOf(reference))[0]);
}

async function deliveries(query = ''): Promise<readonly DeliveryView[]> {
  const { body } = await api.call(`GET /v1/webhook-deliveries${query}`);
  return z.object({ items: z.array(z.custom<DeliveryView>()) }).parse(JSON.parse(body)).items;
}

async function countsOf(source: string): Promise<SourceList['items'][number] | undefined> {
  const { body } = await api.call('GET /v1/webhook-sources');
  const { items } = z
    .object({ items: z.array(z.custom<SourceList['items'][number]>()) })
    .parse(JSON.parse(body));
  return items.find(({ name }) => name === source);
}

/** Nothing waits to be judged. */
async function judged(): Promise<void> {
  await eventually(async () => ((await deliveries('?state=received')).length === 0 ? true : undefined));
}

function ticket(key: string, more: object = {}): object {
  return {
    key,
    labels: ['vip', 'gdpr-erasure'],
    customer: { id: `user-of-${key}-${PERSON}` },
    requester: `Requester ${PERSON}`,
    projects: [PROJECT],
    ...more,
  };
}

describe.each(SOURCE_KINDS)('a ticket from %s', (kind: SourceKind) => {
  it('becomes a request that waits for a person, and nothing is kept of the delivery', async () => {
    const key = `${kind}-1`;
    const answer = await deliver(kind, ticketSent(kind, ticket(key)));
    expect(answer.status).toBe(202);
    const { id } = z
      .strictObject({ id: z.string(), repeated: z.literal(false) })
      .parse(JSON.parse(answer.body));
    const requestId = await requestOf(key);
    const view = viewIn(await api.call(`GET /v1/erasure-requests/${requestId}`));
    expect(view).toMatchObject({
      state: 'awaiting_identity',
      channel: 'webhook',
      reference: key,
      ticket: { source: kind, reference: key, changedAt: null, changed: [] },
      projectKeys: [PROJECT],
      identity: { required: true, verifiedAt: null },
      approvals: { needed: 1, given: 0 },
    });
    const trail = await stage.trail(requestId);
    checkTrail(view, trail);
    expect(trail[0]?.data).toMatchObject({ channel: 'webhook', source: kind, delivery_id: id });
    await judged();
    expect(await deliveries(`?source=${kind}`)).toEqual([]);
    expect(await countsOf(kind)).toMatchObject({ kind, accepted: 1, waiting: 0 });
    const { rows } = await stage.database.pool.query("SELECT FROM work WHERE kind = 'judge'");
    expect(rows).toHaveLength(0);
  });

  it('again, changed or not, makes no second request; a change is an event of the first', async () => {
    const key = `${kind}-2`;
    const first = ticketSent(kind, ticket(key));
    await deliver(kind, first);
    const requestId = await requestOf(key);
    expect(JSON.parse((await deliver(kind, first)).body)).toEqual({ id: null, repeated: true });
    const other = ticket(key, { customer: { id: 'somebody-else' }, title: 'now with another user' });
    expect((await deliver(kind, ticketSent(kind, other))).status).toBe(202);
    const view = await stage.until(requestId, ({ ticket: its }) => its?.changedAt !== null);
    expect(view.ticket).toMatchObject({ changed: ['subject'] });
    await deliver(kind, ticketSent(kind, ticket(key, { labels: [], title: 'no request any more' })));
    await stage.until(requestId, ({ ticket: its }) => its?.changed[0] === 'condition');
    await judged();
    const trail = await stage.trail(requestId);
    const changes = trail.filter(({ type }) => type === 'request.ticket_changed');
    expect(changes.map(({ data }) => data['changed'])).toEqual([['subject'], ['condition']]);
    expect(await requestsOf(key)).toEqual([requestId]);
  });

  it('that is no request is counted, and nothing is stored of it', async () => {
    const { notMatching = 0 } = (await countsOf(kind)) ?? {};
    await deliver(kind, ticketSent(kind, ticket(`${kind}-3`, { labels: ['billing'] })));
    await eventually(async () =>
      (await countsOf(kind))?.notMatching === notMatching + 1 ? true : undefined,
    );
    expect(await requestsOf(`${kind}-3`)).toEqual([]);
    const { rows } = await stage.database.pool.query('SELECT FROM webhook_deliveries');
    expect(rows).toHaveLength(0);
  });

  it('signed with the secret before is taken in, too', async () => {
    const [, secret] = secretsOf(kind);
    await deliver(kind, ticketSent(kind, ticket(`${kind}-4`), { secret }));
    await requestOf(`${kind}-4`);
  });
});

describe('a ticket that cannot be mapped', () => {
  const withoutUser = { customer: {}, requester: PERSON };

  it('is shown with what was expected where, and becomes a request once the mapping is mended', async () => {
    await deliver(
      'mended',
      ticketSent('shared-secret', ticket('mended-1', { ...withoutUser, client: { no: 'c-77' } })),
    );
    const shown = await eventually(async () => (await deliveries('?source=mended&state=unmappable'))[0]);
    expect(shown.problems).toEqual([
      {
        field: 'userId',
        pointers: ['/customer/id', '/customerId', '/customer/email'],
        expected: "the data subject's user id or e-mail address",
      },
    ]);
    expect(Date.parse(shown.keptUntil ?? '')).toBe(Date.parse(shown.receivedAt) + 3_600_000);
    await api.call(`POST /v1/webhook-deliveries/${shown.id}/judge`);
    await eventually(async () => {
      const [again] = await deliveries('?source=mended');
      return again?.state === 'unmappable' && again.judgedAt !== shown.judgedAt ? true : undefined;
    });
    sources.set(
      'mended',
      sourceOf('shared-secret', { name: 'mended', rules: { ...RULES, userId: ['/client/no'] } }),
    );
    const answer = await api.call(`POST /v1/webhook-deliveries/${shown.id}/judge`);
    expect(answer.status).toBe(202);
    const requestId = await requestOf('mended-1');
    const subject = await api.call(`GET /v1/erasure-requests/${requestId}/subject`, { reveals: 'person' });
    expect(JSON.parse(subject.body)).toMatchObject({ userId: 'c-77' });
    // The clock runs since the ticket came in, not since it could be read.
    expect((await stage.show(requestId)).receivedAt).toBe(shown.receivedAt);
    expect((await api.call(`POST /v1/webhook-deliveries/${shown.id}/judge`)).status).toBe(404);
  });

  it('loses its body when its time is over', async () => {
    await deliver('github', ticketSent('github', ticket('github-9', withoutUser)));
    const shown = await eventually(async () => (await deliveries('?state=unmappable'))[0]);
    const { pool } = stage.database;
    await pool.query(
      "UPDATE webhook_deliveries SET received_at = now() - interval '61 minutes' WHERE id = $1",
      [shown.id],
    );
    await pool.query('UPDATE work SET run_at = now() WHERE delivery_id = $1', [shown.id]);
    await eventually(async () => ((await deliveries()).length === 0 ? true : undefined));
    expect(await countsOf('github')).toMatchObject({ expired: 1, unmappable: 0 });
  });

  it('of another source than there is, or that is no JSON, is shown as well', async () => {
    await deliver('github', sent('github', '{"key": '));
    const [shown] = await eventually(async () => {
      const found = await deliveries('?source=github&state=unmappable');
      return found.length > 0 ? found : undefined;
    });
    expect(shown?.problems).toEqual([{ field: null, pointers: [], expected: 'one complete JSON value' }]);
  });
});

describe('the request of a ticket', () => {
  it('is carried out once a person has looked who asks, and another has approved it', async () => {
    const userId = `user-of-life-1-${PERSON}`;
    stage.sandbox.addUser({ projectKey: PROJECT, userId, sessions: 2 });
    await deliver('github', ticketSent('github', ticket('life-1')));
    const id = await requestOf('life-1');
    const json = { method: 'email_confirmation', note: 'asked back' };
    await api.call(`POST /v1/erasure-requests/${id}/verify-identity`, { json });
    await api.call(`POST /v1/erasure-requests/${id}/approve`);
    const view = await stage.settled(id);
    expect(view).toMatchObject({ state: 'completed', outcome: 'erased' });
    checkTrail(view, await stage.trail(id));
    expect(stage.sandbox.hasUser(PROJECT, userId)).toBe(false);
  });

  it('has an event of what the ticket says when it is closed, and stays closed', async () => {
    await deliver('github', ticketSent('github', ticket('life-2')));
    const id = await requestOf('life-2');
    const json = { ground: 'identity_not_established', text: 'nobody knows who asked' };
    expect((await api.call(`POST /v1/erasure-requests/${id}/refuse`, { json })).status).toBe(200);
    await deliver('github', ticketSent('github', ticket('life-2', { projects: [] })));
    const view = await stage.until(id, ({ ticket: its }) => its?.changedAt !== null);
    expect(view).toMatchObject({ state: 'refused', ticket: { changed: ['projectKeys'] } });
    const trail = await stage.trail(id);
    checkTrail(view, trail);
    expect(trail.at(-1)).toMatchObject({ type: 'request.ticket_changed', change: null });
  });

  it('is submitted in the name of a key that nobody has, is told of and replaced', async () => {
    const keyOf = async () => {
      const { body } = await api.call('GET /v1/api-keys');
      const { items } = z
        .object({
          items: z.array(
            z.looseObject({ id: z.string(), name: z.string(), revokedAt: z.string().nullable() }),
          ),
        })
        .parse(JSON.parse(body));
      return items.filter(({ name, revokedAt }) => name === 'webhook:jira' && revokedAt === null);
    };
    const [key, ...others] = await keyOf();
    expect(others).toEqual([]);
    expect((await api.call('GET /v1/admin-events?limit=200')).body).toContain('"made_for":"webhook:jira"');
    await api.call(`POST /v1/api-keys/${key?.id ?? ''}/revoke`);
    await deliver('jira', ticketSent('jira', ticket('life-3')));
    await requestOf('life-3');
    const [next] = await keyOf();
    expect(next?.id).not.toBe(key?.id);
  });
});

describe('limits', () => {
  it('of a source: one delivery too many is told to come later', async () => {
    const statuses: number[] = [];
    for (let number = 0; number < 3; number += 1) {
      const answer = await deliver(
        'limited',
        ticketSent('github', ticket(`limited-${number}`, { labels: [] })),
      );
      statuses.push(answer.status);
    }
    expect(statuses).toEqual([202, 202, 429]);
  });

  it('of a body', async () => {
    const answer = await deliver('github', sent('github', bodyOf('github', { text: 'x'.repeat(10_000) })));
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toMatchObject({ detail: 'The body may have at most 10000 bytes.' });
  });
});

it('leaves no identifier and no text of a ticket outside the vault', async () => {
  await judged();
  const dump = await dumpDatabase(stage.database.pool);
  const haystack = [...dump.values()].join('\n') + JSON.stringify(api.log);
  expect(tracesOf([PERSON, 'Requester jane', 'somebody-else', 'now with another user'], haystack)).toEqual(
    [],
  );
});
