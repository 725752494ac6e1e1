import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { RequestView } from '../../src/app/request-schema.ts';
import { openApi, PERSON, problemIn, viewIn, type Api, type Call } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage, type TrailEvent } from '../support/stage.ts';

/** Lists, events and cancelling over real HTTP. Each answer is checked against docs/openapi.yaml. */
const [backend] = queueBackends();
const REQUESTS = '/v1/erasure-requests';

let stage: Stage;
let api: Api;
async function open(withoutWorker: boolean): Promise<void> {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker });
  api = await openApi(stage);
}
async function close(): Promise<void> {
  await api.close();
  await stage.close();
}

async function submit(changes: object = {}): Promise<RequestView> {
  const json = { subject: { userId: PERSON }, projectKeys: [PROJECT], ...changes };
  return viewIn(await api.call(`POST ${REQUESTS}`, { json }));
}
const show = async (id: string) => viewIn(await api.call(`GET ${REQUESTS}/${id}`));
const cancel = (id: string) => api.call(`POST ${REQUESTS}/${id}/cancel`);

const page = z.object({ items: z.array(z.custom<RequestView>()), nextCursor: z.string().nullable() });
async function list(query: Record<string, string | number> = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) words.set(name, String(value));
  const answer = await api.call(`GET ${REQUESTS}?${words.toString()}`);
  return page.parse(JSON.parse(answer.body));
}

/** The ids of all pages; `between` is done after each page. */
async function walk(
  query: Record<string, string | number>,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string[]> {
  const ids: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const { items, nextCursor } = await list({ ...query, ...(cursor !== undefined && { cursor }) });
    ids.push(...items.map((item) => item.id));
    // A page that is not the last one is full.
    if (nextCursor !== null) expect(items).toHaveLength(Number(query['limit']));
    cursor = nextCursor;
    await between();
  }
  return ids;
}

describe('with nobody to carry requests out:', () => {
  beforeAll(() => open(true));
  afterAll(close);
  describe('the list', () => {
    /** Newest first, as the list is. */
    let all: RequestView[];
    const idsOf = (keep: (view: RequestView) => boolean) => all.filter(keep).map((view) => view.id);
    beforeAll(async () => {
      const made: RequestView[] = [];
      for (let index = 0; index < 12; index += 1) {
        const unroutable = index % 4 === 3 && { subject: { userId: `/${PERSON}` } };
        made.push(await submit({ reference: index % 2 === 0 ? 'EVEN é' : `R-${index}`, ...unroutable }));
      }
      for (const [index, { id }] of made.entries()) if (index % 3 === 0) await cancel(id);
      all = await Promise.all(made.toReversed().map(({ id }) => show(id)));
    });

    it('shows every request as it is by itself, newest first', async () => {
      expect(await list()).toEqual({ items: all, nextCursor: null });
    });

    it('ends without an empty page', async () => {
      const { items, nextCursor } = await list({ limit: 3, reference: 'EVEN é' });
      expect(nextCursor).toBe(items[2]?.id);
      expect(await list({ limit: 3, reference: 'EVEN é', cursor: nextCursor ?? '' })).toMatchObject({
        items: { length: 3 },
        nextCursor: null,
      });
    });

    it('is filtered by reference', async () => {
      expect(await walk({ limit: 4, reference: 'EVEN é' })).toEqual(
        idsOf((view) => view.reference === 'EVEN é'),
      );
      expect(await walk({ limit: 4, reference: 'R-1' })).toEqual(idsOf((view) => view.reference === 'R-1'));
      for (const reference of ['EVEN', 'even é', 'EVEN e\u0301', '%', 'R-_', "' OR true --"]) {
        expect(await list({ reference })).toEqual({ items: [], nextCursor: null });
      }
    });

    it('is filtered by state', async () => {
      expect(await walk({ limit: 1, state: 'needs_attention' })).toEqual(
        idsOf((view) => view.state === 'needs_attention'),
      );
      expect(await list({ state: 'completed' })).toEqual({ items: [], nextCursor: null });
      const both = await walk({ limit: 1, state: 'cancelled', reference: 'EVEN é' });
      expect(both).toHaveLength(2);
      expect(both).toEqual(idsOf((view) => view.state === 'cancelled' && view.reference === 'EVEN é'));
    });

    it('goes on from any id, there or not', async () => {
      expect(await list({ cursor: `er_${'0'.repeat(32)}` })).toEqual({ items: [], nextCursor: null });
      const { items } = await list({ cursor: `er_${'f'.repeat(32)}`, limit: 1 });
      expect(items).toEqual((await list({ limit: 1 })).items);
    });

    it('answers HEAD as GET, without the body', async () => {
      const [get, head] = [
        await api.call(`GET ${REQUESTS}?limit=3`),
        await api.call(`HEAD ${REQUESTS}?limit=3`),
      ];
      expect(head.status).toBe(200);
      expect(head.headers['content-length']).toBe(get.headers['content-length']);
    });

    it.each([2, 5, 12])(
      'gives each request exactly once in pages of %i, while new ones come in and others move',
      async (limit) => {
        const before = (await list({ limit: 200 })).items.map((view) => view.id);
        const waiting = idsOf((view) => view.state === 'discovering');
        const found = await walk({ limit }, async () => {
          const fresh = await submit({ reference: 'FRESH' });
          await Promise.all([fresh.id, waiting.pop() ?? fresh.id].map(cancel));
        });
        expect(found).toEqual(before);
      },
    );

    it('has 50 on a page where nothing else is said, and at most 200', async () => {
      await Promise.all(Array.from({ length: 50 }, () => submit()));
      const { items, nextCursor } = await list();
      expect(items).toHaveLength(50);
      expect(nextCursor).toBe(items[49]?.id);
      const { items: rest } = await list({ limit: 200, cursor: nextCursor ?? '' });
      expect([...items, ...rest]).toEqual((await list({ limit: 200 })).items);
    });
  });

  describe('events', () => {
    let id: string;
    let stored: string[];
    beforeAll(async () => {
      const projectKeys = Array.from({ length: 60 }, (_, index) => `project${index}`);
      ({ id } = await submit({ subject: { userId: `/${PERSON}` }, projectKeys }));
      const rows = await stage.database.pool.query(
        "SELECT convert_from(bytes, 'UTF8') AS text FROM audit_events WHERE request_id = $1 ORDER BY seq",
        [id],
      );
      stored = z
        .array(z.object({ text: z.string() }))
        .parse(rows.rows)
        .map((row) => row.text);
    });

    const read = async (query = '') => (await api.call(`GET ${REQUESTS}/${id}/events${query}`)).body;
    const written = (events: readonly string[], nextAfter: number | null) =>
      `{"events":[${events.join(',')}],"nextAfter":${nextAfter}}`;

    it('stand in the answer as the exact bytes that are stored', async () => {
      expect(stored).toHaveLength(62);
      expect(await read('?limit=200')).toBe(written(stored, null));
    });

    it('come 50 at a time where nothing else is said', async () => {
      expect(await read()).toBe(written(stored.slice(0, 50), 49));
      expect(await read('?after=49')).toBe(written(stored.slice(50), null));
    });

    it.each([2, 7, 31, 62])('come each exactly once in pages of %i', async (limit) => {
      const nextAfter = z.object({ nextAfter: z.number().nullable() });
      let start = 0;
      for (let after: number | null = -1; after !== null;) {
        const text = await read(`?limit=${limit}&after=${after}`);
        const end = Math.min(start + limit, stored.length);
        expect(text).toBe(written(stored.slice(start, end), end === stored.length ? null : end - 1));
        start = end;
        after = nextAfter.parse(JSON.parse(text)).nextAfter;
      }
      expect(start).toBe(stored.length);
    });

    it('are none after the last', async () => {
      expect(await read('?after=61')).toBe(written([], null));
      expect(await read('?after=2147483647')).toBe(written([], null));
    });
  });

  describe('the subject', () => {
    const read = (id: string, call: Call = {}) =>
      api.call(`GET ${REQUESTS}/${id}/subject`, { reveals: 'person', ...call });

    it.each([
      ['as it was submitted', `${PERSON} `],
      ['that can never be sent', `/${PERSON}/..`],
      ['that is not well-formed', `${PERSON}\ud800`],
    ])('is shown %s', async (_name, userId) => {
      const { id } = await submit({ subject: { userId } });
      const { status, body } = await read(id);
      expect([status, JSON.parse(body)]).toEqual([200, { userId }]);
    });

    it('leaves an event each time it is read, which names the key and nobody', async () => {
      const [key, audit] = [await api.addKey('requests:read'), await api.addKey('audit:read')];
      const { id } = await submit();
      for (let times = 0; times < 2; times += 1) await read(id, { key });
      // The support refuses an answer that names PERSON.
      const { body } = await api.call(`GET ${REQUESTS}/${id}/events?after=1`, { key: audit });
      const event = {
        type: 'subject.read',
        actor: `api_key:${key.id}`,
        change: null,
        data: { kind: 'user_id' },
      };
      expect(JSON.parse(body)).toMatchObject({ events: [event, event] });
      checkTrail(await show(id), await stage.trail(id));
    });

    it('is not shown, and no event written, for a key of another scope', async () => {
      const key = await api.addKey('requests:write', 'audit:read');
      const { id } = await submit();
      const before = await stage.trail(id);
      expect((await api.call(`GET ${REQUESTS}/${id}/subject`, { key })).status).toBe(403);
      expect(await stage.trail(id)).toEqual(before);
    });

    it('is shown of a closed request, whose trail then goes on behind its end', async () => {
      const { id } = await submit();
      await cancel(id);
      expect(JSON.parse((await read(id)).body)).toEqual({ userId: PERSON });
      const events = await stage.trail(id);
      expect(events.slice(-2)).toMatchObject([
        { type: 'request.cancelled', data: { event_count: events.length - 1 } },
        { type: 'subject.read' },
      ]);
      checkTrail(await show(id), events);
    });

    it('is not shown when the event cannot be written', async () => {
      const { id } = await submit();
      const broken = await openApi(stage, {
        parts: {
          encodeEvent: () => {
            throw new Error('no event');
          },
        },
      });
      expect((await broken.call(`GET ${REQUESTS}/${id}/subject`)).status).toBe(500);
      await broken.close();
    });

    it('is gone once it is kept no longer: 410, and no event', async () => {
      const { id } = await submit();
      const before = await stage.trail(id);
      await stage.database.pool.query(
        `UPDATE erasure_requests SET subject_sealed = NULL, note_sealed = NULL, subject_destroyed_at = now(),
           state = 'cancelled', closed_at = now()
         WHERE id = $1`,
        [id],
      );
      const answer = await read(id);
      expect([answer.status, problemIn(answer).code]).toEqual([410, 'SUBJECT_GONE']);
      expect(await stage.trail(id)).toEqual(before);
    });
  });

  describe('cancelling', () => {
    const trailOf = async (view: RequestView): Promise<readonly TrailEvent[]> => {
      const events = await stage.trail(view.id);
      checkTrail(view, events);
      return events;
    };

    it('ends a request of which nothing was sent', async () => {
      const key = await api.addKey('requests:write');
      const { id } = await submit();
      const answer = await api.call(`POST ${REQUESTS}/${id}/cancel`, { key });
      const view = viewIn(answer);
      expect(answer.status).toBe(200);
      expect(view).toMatchObject({ id, state: 'cancelled', attention: null, waiting: null, tasks: [] });
      expect(view.cancelRequestedAt).toBe(view.updatedAt);
      expect(await show(id)).toEqual(view);
      expect((await trailOf(view)).map((event) => event.type)).toEqual([
        'request.received',
        'request.discovering',
        'request.cancel_requested',
        'request.cancelled',
      ]);
      const { body } = await api.call(`GET ${REQUESTS}/${id}/events?after=1`);
      expect(JSON.parse(body)).toMatchObject({
        events: [{ actor: `api_key:${key.id}` }, { actor: 'lethe', data: { event_count: 4 } }],
      });
      const work = await stage.database.pool.query('SELECT kind FROM work WHERE request_id = $1', [id]);
      expect(work.rows).toEqual([{ kind: 'destroy' }]);
    });

    it('changes nothing when it is asked twice', async () => {
      const { id } = await submit();
      const first = await cancel(id);
      const events = await stage.trail(id);
      const second = await cancel(id);
      expect(second.status).toBe(200);
      expect(second.body).toBe(first.body);
      expect(await stage.trail(id)).toEqual(events);
    });

    it('is done once when many ask at the same time', async () => {
      const { id } = await submit();
      const answers = await Promise.all(Array.from({ length: 10 }, () => cancel(id)));
      expect(new Set(answers.map((answer) => `${answer.status} ${answer.body}`)).size).toBe(1);
      expect(await trailOf(await show(id))).toHaveLength(4);
    });

    it('ends the tasks of an id that can never be sent', async () => {
      const { id } = await submit({ subject: { userId: '..' }, projectKeys: ['one', 'two'] });
      const view = viewIn(await cancel(id));
      expect(view).toMatchObject({
        state: 'cancelled',
        attention: null,
        waiting: null,
        tasks: [
          { state: 'cancelled', attention: null, waiting: null },
          { state: 'cancelled', attention: null, waiting: null },
        ],
      });
      await trailOf(view);
    });

    it.each([
      ['an empty object', { json: {} }],
      ['an empty body of any type', { body: '', headers: { 'content-type': 'text/plain' } }],
    ])('may come with %s', async (_name, call) => {
      const { id } = await submit();
      const answer = await api.call(`POST ${REQUESTS}/${id}/cancel`, call);
      expect(viewIn(answer).state).toBe('cancelled');
    });
  });
});

describe('a request that was carried out', () => {
  beforeAll(() => open(false));
  afterAll(close);

  it('is shown as completed, and is past cancelling', async () => {
    const { id } = await submit();
    await stage.settled(id);
    const before = await api.call(`GET ${REQUESTS}/${id}`);
    const view = viewIn(before);
    expect(view).toMatchObject({
      state: 'completed',
      waiting: null,
      tasks: [{ state: 'erased', rounds: [{ number: 1 }], verification: { user: 'absent' } }],
    });
    const refused = await cancel(id);
    expect(refused.status).toBe(409);
    expect(JSON.parse(refused.body)).toMatchObject({
      code: 'REQUEST_CLOSED',
      detail: 'The request is completed; it can no longer be cancelled.',
    });
    expect((await api.call(`GET ${REQUESTS}/${id}`)).body).toBe(before.body);
    const { body } = await api.call(`GET ${REQUESTS}/${id}/events`);
    expect(JSON.parse(body)).toMatchObject({ events: { length: (await stage.trail(id)).length } });
    checkTrail(view, await stage.trail(id));
  });
});
