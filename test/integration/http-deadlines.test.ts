import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import type { deadlinePage } from '../../src/app/list-deadlines.ts';
import { submitRequest } from '../../src/app/submit-request.ts';
import { extendRequest } from '../../src/app/extend-request.ts';
import { addDays } from '../../src/domain/day.ts';
import { openApi, placesIn, problemIn, viewIn, type Api } from '../support/api.ts';
import { queueBackends } from '../support/redis.ts';
import { openStage, PROJECT, type Stage } from '../support/stage.ts';

/** What is late, may become late, or is due soon, over real HTTP. Each answer is checked against docs/openapi.yaml. */
const [backend] = queueBackends();
const DAY_MS = 86_400_000;
type Page = z.infer<typeof deadlinePage>;

let stage: Stage;
let api: Api;
/** The ids of what stands there, by what it is. */
const ids = new Map<string, string>();
const names = (page: Page) =>
  page.items.map(({ id }) => [...ids.entries()].find(([, known]) => known === id)?.[0]);

async function submit(name: string, daysAgo: number, userId = name): Promise<string> {
  const { requestId } = await submitRequest(
    stage.deps,
    { subject: { userId }, reference: name, receivedAt: new Date(Date.now() - daysAgo * DAY_MS) },
    { apiKeyId: stage.apiKeyId, idempotencyKey: undefined, channel: 'api' },
  );
  ids.set(name, requestId);
  return requestId;
}

/** A task under way with so many sessions before its round, as a worker would have left it. */
async function addTask(requestId: string, sessionsBefore: number): Promise<void> {
  const at = new Date().toISOString();
  const round = {
    number: 1,
    jobId: '1',
    adopted: false,
    reported: 'scheduled',
    sessionsBefore,
    intendedAt: at,
    submittedAt: at,
    startAt: null,
    endedAt: null,
    doubts: 0,
  };
  await stage.database.pool.query('DELETE FROM work WHERE request_id = $1', [requestId]);
  await stage.database.pool.query("UPDATE erasure_requests SET state = 'erasing' WHERE id = $1", [requestId]);
  await stage.database.pool.query(
    `INSERT INTO tasks (id, request_id, connection, project_key, state, rounds)
     VALUES ($1, $2, 'default', $3, 'submitted', $4)`,
    [requestId.replace('er_', 'tk_'), requestId, PROJECT, JSON.stringify([round])],
  );
}

/** A task that was erased by rounds that took so many minutes from their submission; the last `adopted`. */
async function addErased(requestId: string, minutes: readonly number[]): Promise<void> {
  const rounds = minutes.map((took, index) => ({
    number: index + 1,
    jobId: String(index),
    adopted: index === minutes.length - 1,
    reported: 'completed',
    sessionsBefore: 1,
    intendedAt: '2026-03-01T10:00:00.000Z',
    submittedAt: '2026-03-01T10:00:00.000Z',
    startAt: null,
    endedAt: new Date(Date.parse('2026-03-01T10:00:00Z') + took * 60_000).toISOString(),
    doubts: 0,
  }));
  await stage.database.pool.query(
    `INSERT INTO tasks (id, request_id, connection, project_key, state, rounds)
     VALUES ($1, $2, 'default', 'another', 'erased', $3)`,
    [requestId.replace('er_', 'tk_done_'), requestId, JSON.stringify(rounds)],
  );
}

async function list(query: Record<string, string | number> = {}): Promise<Page> {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) words.set(name, String(value));
  const answer = await api.call(`GET /v1/deadlines?${words.toString()}`);
  if (answer.status !== 200) throw new Error(answer.body);
  return z.custom<Page>().parse(JSON.parse(answer.body));
}

beforeAll(async () => {
  if (backend === undefined) throw new Error('there is no queue');
  stage = await openStage({ backend, withoutWorker: true });
  api = await openApi(stage);
  await submit('new', 0);
  await submit('overdue', 40);
  await submit('overdue, for a person', 50, 'a/b');
  await submit('due soon', 27);
  const heavy = await submit('heavy', 10);
  await addTask(heavy, 40_000);
  await addTask(await submit('two rounds', 10), 1_500);
  await submit('overdue, but cancelled', 45);
  await api.call(`POST /v1/erasure-requests/${ids.get('overdue, but cancelled') ?? ''}/cancel`);
  const extended = await submit('extended', 25);
  const reason = { requestId: extended, apiKeyId: stage.apiKeyId, text: 'complex' };
  expect(await extendRequest(stage.deps, reason)).toMatchObject({
    clock: { extendedAt: expect.any(String) },
  });
});
afterAll(async () => {
  await api.close();
  await stage.close();
});

describe('deadlines', () => {
  it('are what is overdue, at risk or due soon, the first due first', async () => {
    const page = await list();
    expect(names(page)).toEqual(['overdue, for a person', 'overdue', 'due soon', 'heavy']);
    expect(page.items.map(({ status }) => status)).toEqual(['overdue', 'overdue', 'due_soon', 'at_risk']);
    expect(page.nextCursor).toBeNull();
    for (const { id, daysLeft, dueOn, reference, state } of page.items) {
      const { clock, ...view } = viewIn(await api.call(`GET /v1/erasure-requests/${id}`));
      expect([clock?.dueOn, clock?.daysLeft, view.reference, view.state]).toEqual([
        dueOn,
        daysLeft,
        reference,
        state,
      ]);
    }
  });

  it('say who acts next and when the end can be expected, as the request itself does', async () => {
    const [person, , , heavy] = (await list()).items;
    expect(person).toMatchObject({
      waiting: { actsNext: 'privacy_team', reason: 'unroutable' },
      forecast: { expectedAt: null, words: expect.stringContaining('while a person has to act') },
    });
    expect(heavy?.daysLeft).toBeGreaterThan(7);
    expect(heavy?.forecast).toMatchObject({
      confidence: 'assumed',
      words: expect.stringMatching(/^40 more rounds for 40000 sessions/),
    });
    const view = viewIn(await api.call(`GET /v1/erasure-requests/${ids.get('heavy') ?? ''}`));
    expect(view.forecast).toEqual(heavy?.forecast);
  });

  it('reach as far as is asked for, by the date that counts', async () => {
    expect(names(await list({ days: 0 }))).toEqual(['overdue, for a person', 'overdue', 'heavy']);
    const all = await list({ days: 100 });
    const due = all.items.map(({ dueOn }) => dueOn);
    expect(due).toEqual(due.toSorted());
    expect(new Set(names(all))).toEqual(
      new Set([...ids.keys()].filter((name) => name !== 'overdue, but cancelled')),
    );
    // Its first period ends within the week.
    const extended = all.items.find(({ id }) => id === ids.get('extended'));
    expect(extended?.daysLeft).toBeGreaterThan(30);
    expect(extended?.status).toBe('due_soon');
  });

  it.each([1, 2, 3])('come in pages of %i that go on where the one before ended', async (limit) => {
    const whole = await list({ days: 100 });
    const found: Page['items'] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page = await list({ days: 100, limit, ...(cursor !== '' && { cursor }) });
      if (page.nextCursor !== null) expect(page.items).toHaveLength(limit);
      found.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(found).toEqual(whole.items);
  });

  it('refuse other keys and other parameters', async () => {
    const answer = await api.call('GET /v1/deadlines', { key: await api.addKey('requests:read') });
    expect([answer.status, problemIn(answer).code]).toEqual([403, 'SCOPE_MISSING']);
    expect((await api.call('GET /v1/deadlines', { key: await api.addKey('reports:read') })).status).toBe(200);
    for (const query of ['days=-1', 'days=x', 'cursor=er_1', 'limit=0', 'status=overdue']) {
      const refused = await api.call(`GET /v1/deadlines?${query}`);
      expect([refused.status, ...placesIn(refused)]).toEqual([422, query.split('=')[0]]);
    }
  });
});

describe('a forecast', () => {
  it('rests on the rounds that the connection finished, without those it adopted', async () => {
    const two = `GET /v1/erasure-requests/${ids.get('two rounds') ?? ''}`;
    const { forecast: assumed, tasks } = viewIn(await api.call(two));
    const submittedAt = tasks[0]?.rounds[0]?.submittedAt ?? '';
    // At the next midnight, and the one after: the runner wakes, and it is looked at.
    const second = addDays(stage.deps.dayOf('gdpr', new Date(submittedAt)), 2);
    expect(assumed).toMatchObject({ confidence: 'assumed', expectedAt: `${second}T01:06:00.000Z` });

    await addErased(ids.get('new') ?? '', [3, 1, 2, 2, 2, 9_999]);
    const observed = viewIn(await api.call(two)).forecast;
    expect(observed).toMatchObject({
      confidence: 'observed',
      words: expect.stringContaining(
        '90 % of the last 5 rounds ended within 3 minutes after it was asked for',
      ),
    });
    expect(Date.parse(observed?.expectedAt ?? '') - Date.now()).toBeLessThan(DAY_MS / 2);
  });
});
