import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { cancelRequest } from '../../src/app/cancel-request.ts';
import { beginDownload } from '../../src/app/download-package.ts';
import { listDecisions } from '../../src/app/list-decisions.ts';
import type { DataKey } from '../../src/app/ports.ts';
import { refuseRequest } from '../../src/app/refuse-request.ts';
import { listEvents, listRequests } from '../../src/app/show-request.ts';
import { showSubject } from '../../src/app/show-subject.ts';
import { createHold, releaseHold } from '../../src/app/standing-holds.ts';
import { submitRequest } from '../../src/app/submit-request.ts';
import { SubjectGoneError } from '../../src/domain/errors.ts';
import { createLogger } from '../../src/log.ts';
import { VaultUnreadableError } from '../../src/vault/cipher.ts';
import { queueBackends } from '../support/redis.ts';
import { checkTrail, openStage, PROJECT, type Stage } from '../support/stage.ts';
import { dumpDatabase, dumpRedis, FORM_NAMES, tracesOf, written } from '../support/traces.ts';
import { readWork } from '../support/work-rows.ts';
import { createStepRunner, destroyNow, doNext, type StepRunner } from '../support/worker-steps.ts';

const DAY_MS = 86_400_000;

describe('what a person leaves behind', () => {
  const userId = 'Jäne "Döe" + Søn=&%25\\~ 😀 @x';
  const email = 'very.private+person@shop.example.org';
  const PERSON = [userId, email, 'Jäne "Döe"', 'very.private+person'];

  it('would be found in whatever form', () => {
    const forms = written(PERSON);
    for (const name of FORM_NAMES)
      expect([name, ...tracesOf(PERSON, `x${forms[name] ?? ''}y`)]).toContain(name);
    for (const before of ['', 'a', 'ab'])
      expect(tracesOf(PERSON, Buffer.from(`${before}${email}!`).toString('base64'))).toEqual([
        'base64',
        'base64url',
      ]);
    expect(tracesOf(PERSON, 'somebody else')).toEqual([]);
  });

  describe.each(queueBackends())('with the queue on $name', (backend) => {
    let stage: Stage;
    let log = '';
    beforeAll(async () => {
      const stream = new Writable({
        write: (chunk, _encoding, done) => {
          log += String(chunk);
          done();
        },
      });
      stage = await openStage({
        backend,
        rules: [{ types: ['access_and_erasure'], identity: 'not_required' }],
        // Destroyed as soon as it is closed.
        parts: { retentionMs: 0, log: createLogger({ level: 'trace', name: 'destroy', stream }) },
      });
    });
    afterAll(() => stage.close());

    /** The ciphertexts of a request, as a backup keeps them that has no data key of it. */
    async function sealedOf(id: string): Promise<{ subject: Uint8Array; wrapped: DataKey }> {
      const scope = await stage.deps.store.findScope(id);
      if (scope?.subjectSealed == null || scope.dataKey === null) throw new Error('it is gone already');
      return { subject: scope.subjectSealed, wrapped: scope.dataKey };
    }

    const submit = async (submission: Parameters<typeof submitRequest>[1]): Promise<string> => {
      const origin = {
        apiKeyId: stage.apiKeyId,
        channel: 'api',
        idempotencyKey: submission.reference,
      } as const;
      return (await submitRequest(stage.deps, submission, origin)).requestId;
    };

    it('is nowhere any more once the key is destroyed, and the trail still tells what was done', async () => {
      stage.sandbox.addUser({ projectKey: PROJECT, userId, email, sessions: 2 });
      const { deps, apiKeyId } = stage;
      const note = `${userId} wrote from ${email}`;
      const erasing = await submit({ subject: { userId }, note, reference: 'T-1', projectKeys: [PROJECT] });
      const kept = await sealedOf(erasing);
      expect(deps.vault.boxOf(kept.wrapped).openSubject(erasing, kept.subject)).toEqual({ userId });
      await stage.until(erasing, ({ subject }) => subject.state === 'destroyed');
      stage.sandbox.addUser({ projectKey: PROJECT, userId, email, sessions: 2 });
      const copying = await submit({
        subject: { email },
        note,
        type: 'access_and_erasure',
        reference: 'T-2',
      });
      await stage.until(copying, ({ subject }) => subject.state === 'destroyed');
      const refused = await submit({ subject: { userId }, note, type: 'access', reference: 'T-0' });
      await refuseRequest(deps, { requestId: refused, apiKeyId, ground: 'excessive', text: note });
      await stage.until(refused, ({ subject }) => subject.state === 'destroyed');

      for (const id of [erasing, copying]) {
        const view = await stage.show(id);
        expect(view).toMatchObject({ state: 'completed', outcome: 'erased', waiting: null });
        const events = await stage.trail(id);
        checkTrail(view, events);
        expect(events.at(-1)).toMatchObject({ type: 'request.subject_destroyed', change: null });
      }
      // A copy of the ciphertext opens with nothing that is left.
      const nothing = { requestId: erasing, wrapped: null };
      expect(() => deps.vault.boxOf(nothing).openSubject(erasing, kept.subject)).toThrow(
        VaultUnreadableError,
      );
      expect(() => deps.vault.lasting.openSubject(erasing, kept.subject)).toThrow(VaultUnreadableError);
      expect((await deps.store.findScope(erasing))?.dataKey).toBeNull();
      await expect(showSubject(deps, { requestId: erasing, apiKeyId })).rejects.toThrow(SubjectGoneError);
      await expect(beginDownload(deps, { requestId: copying, apiKeyId })).rejects.toMatchObject({
        code: 'PACKAGE_GONE',
      });

      const dump = await dumpDatabase(stage.database.pool);
      expect(dump.size).toBeGreaterThan(15);
      for (const [table, rows] of dump) expect([table, ...tracesOf(PERSON, rows)]).toEqual([table]);
      expect(await tracesInRedis()).toEqual([]);
      expect(log).toContain('took work from the queue');
      expect(tracesOf(PERSON, log)).toEqual([]);
      expect(tracesOf(PERSON, await exportsOf([erasing, copying, refused]))).toEqual([]);
    });

    async function tracesInRedis(): Promise<readonly string[]> {
      const kept = await dumpRedis(stage.queue);
      if (backend.name === 'redis') expect(kept).toContain('destroy');
      return tracesOf(PERSON, kept);
    }

    async function exportsOf(ids: readonly string[]): Promise<string> {
      const { deps } = stage;
      const trails = await Promise.all(
        ids.map(async (requestId) => [
          await listEvents(deps, { requestId, after: -1, limit: 200, apiKeyId: stage.apiKeyId }),
          await listDecisions(deps, requestId),
          await stage.show(requestId),
        ]),
      );
      const admin = await deps.store.listAdminEventBytes({ after: -1, limit: 200 });
      return JSON.stringify([trails, admin.map((bytes) => Buffer.from(bytes).toString())]);
    }

    it('leaves no ciphertext, and no column of any later table is forgotten', async () => {
      const { rows } = await stage.database.pool.query(
        `SELECT table_name AS table, column_name AS column FROM information_schema.columns
         WHERE table_schema = 'public' AND column_name LIKE '%sealed' AND table_name NOT IN ('holds', 'connection_states', 'log_keys')`,
      );
      const columns = z.array(z.object({ table: z.string(), column: z.string() })).parse(rows);
      expect(columns.length).toBeGreaterThan(5);
      for (const { table, column } of columns) {
        const kept = await stage.database.pool.query(`SELECT FROM ${table} WHERE ${column} IS NOT NULL`);
        expect([table, column, kept.rowCount]).toEqual([table, column, 0]);
      }
      expect((await stage.database.pool.query('SELECT FROM data_keys')).rowCount).toBe(0);
    });

    it("finds the person's earlier requests when they ask again", async () => {
      stage.sandbox.addUser({ projectKey: PROJECT, userId, email, sessions: 1 });
      const again = await submit({ subject: { userId }, reference: 'T-3', projectKeys: [PROJECT] });
      const { subject } = await stage.until(again, (view) => view.subject.state === 'destroyed');
      const found = await listRequests(stage.deps, { subjectRef: subject.ref, limit: 10 });
      // By the user id that it was found by, the request by e-mail is among them.
      expect(found.items.map(({ reference }) => reference)).toEqual(['T-3', 'T-0', 'T-2', 'T-1']);
      expect(new Set(found.items.map((one) => one.subject.state))).toEqual(new Set(['destroyed']));
    });
  });
});

describe('the retention', () => {
  const [backend] = queueBackends();
  let stage: Stage;
  let steps: StepRunner;
  beforeAll(async () => {
    if (backend === undefined) throw new Error('there is always one');
    stage = await openStage({
      backend,
      withoutWorker: true,
      sandbox: { jobDelayMs: DAY_MS, analyticsLagMs: 0 },
      pace: {
        verification: { settleMs: 0, retryMs: 1, requireUserAbsent: true },
        sentinelAgesMs: [DAY_MS],
      },
    });
    steps = createStepRunner(stage.deps);
  });
  afterAll(async () => {
    await steps.close();
    await stage.close();
  });

  /** Somebody who was erased; unless said otherwise, they have been looked at again. */
  async function completed(userId: string, looks: 'taken' | 'left' = 'taken'): Promise<string> {
    const { id } = await stage.submit(userId);
    while ((await stage.show(id)).state !== 'completed') {
      if ((await doNext(stage, steps, id)) === undefined) throw new Error('no work is left');
      stage.sandbox.runAllJobs();
    }
    if (looks === 'left') return id;
    await stage.database.pool.query(
      `UPDATE tasks SET verification = jsonb_set(verification, '{verifiedAt}', to_jsonb($2::text)) WHERE request_id = $1`,
      [id, new Date(Date.now() - DAY_MS).toISOString()],
    );
    expect(await doNext(stage, steps, id)).toBe('sentinel');
    return id;
  }

  /** As if it had been closed so many days ago. */
  const daysGoBy = (id: string, days: number) =>
    stage.database.pool.query(
      "UPDATE erasure_requests SET closed_at = now() - $2::float8 * interval '1 day' WHERE id = $1",
      [id, days],
    );
  const rowOf = async (id: string) =>
    (await readWork(stage.database.pool)).find((work) => work.request_id === id && work.kind === 'destroy');
  const inDays = (days: number) => Math.round((Date.now() + days * DAY_MS) / 60_000);
  const minuteOf = (row: { run_at: Date } | undefined) => Math.round((row?.run_at.getTime() ?? 0) / 60_000);
  const lastTypes = async (id: string, count: number) =>
    (await stage.trail(id)).slice(-count).map(({ type }) => type);
  const stateOf = async (id: string) => (await stage.show(id)).subject.state;

  it('counts from the day of the closing, however it was closed', async () => {
    const nothing = await completed('nobody knows');
    const cancelled = (await stage.submit('cancelled')).id;
    await cancelRequest(stage.deps, { requestId: cancelled, apiKeyId: stage.apiKeyId });
    const refused = (await stage.submit('refused')).id;
    await refuseRequest(stage.deps, {
      requestId: refused,
      apiKeyId: stage.apiKeyId,
      ground: 'identity_not_established',
      text: 'who are you, refused?',
    });
    for (const id of [nothing, cancelled, refused]) {
      const before = await rowOf(id);
      expect([before?.reason, minuteOf(before) - inDays(30)]).toEqual(['retention', 0]);
      // Too early: it waits for its day.
      await daysGoBy(id, 29);
      await destroyNow(stage, steps, { requestId: id });
      expect([await stateOf(id), minuteOf(await rowOf(id)) - inDays(1)]).toEqual(['kept', 0]);
      await daysGoBy(id, 30);
      await destroyNow(stage, steps, { requestId: id });
      expect([await stateOf(id), await rowOf(id)]).toEqual(['destroyed', undefined]);
      checkTrail(await stage.show(id), await stage.trail(id));
    }
    const { items, textsDestroyedAt } = (await listDecisions(stage.deps, refused)) ?? { items: [] };
    expect(items).toMatchObject([{ kind: 'refused', text: null }]);
    expect(textsDestroyedAt).toBe((await stage.show(refused)).subject.destroyedAt);
  });

  it('is decided by the configuration of the day on which it ends', async () => {
    const id = await completed('kept for longer');
    await daysGoBy(id, 31);
    const patient = createStepRunner({ ...stage.deps, retentionMs: 60 * DAY_MS });
    await destroyNow(stage, patient, { requestId: id });
    await patient.close();
    expect([await stateOf(id), minuteOf(await rowOf(id)) - inDays(29)]).toEqual(['kept', 0]);
  });

  it('waits for a standing hold, and says so once; after its release it goes on', async () => {
    const id = await completed('held later');
    const by = { apiKeyId: stage.apiKeyId };
    const hold = await createHold(stage.deps, {
      ...by,
      subject: { userId: 'held later' },
      reason: 'a lawsuit',
    });
    await daysGoBy(id, 45);
    for (let times = 0; times < 10; times += 1) {
      await destroyNow(stage, steps, { requestId: id });
      expect([await stateOf(id), minuteOf(await rowOf(id)) - inDays(1)]).toEqual(['kept', 0]);
    }
    expect(await lastTypes(id, 2)).toEqual(['task.sentinel_absent', 'request.destruction_put_off']);
    await releaseHold(stage.deps, { ...by, holdId: hold.id, reason: 'settled' });
    await destroyNow(stage, steps, { requestId: id });
    expect(await lastTypes(id, 2)).toEqual(['request.destruction_put_off', 'request.subject_destroyed']);
    checkTrail(await stage.show(id), await stage.trail(id));
    // A hold made now still catches the person, and the request is found by it.
    const later = await createHold(stage.deps, { ...by, subject: { userId: 'held later' }, reason: 'again' });
    expect(later.subject.ref).toBe((await stage.show(id)).subject.ref);
  });

  it('waits an hour and seven days for looks that a server keeps waiting, and withdraws them then', async () => {
    const id = await completed('not looked at', 'left');
    expect((await readWork(stage.database.pool)).filter((work) => work.request_id === id)).toHaveLength(2);
    await daysGoBy(id, 30);
    const waits: number[] = [];
    for (let times = 0; times < 8; times += 1) {
      await destroyNow(stage, steps, { requestId: id });
      waits.push(Math.round((minuteOf(await rowOf(id)) - inDays(0)) / 60));
    }
    expect(waits).toEqual([1, 24, 24, 24, 24, 24, 24, 24]);
    expect(await stateOf(id)).toBe('kept');
    await destroyNow(stage, steps, { requestId: id });
    expect(await lastTypes(id, 3)).toEqual([
      'request.destruction_put_off',
      'task.sentinel_withdrawn',
      'request.subject_destroyed',
    ]);
    checkTrail(await stage.show(id), await stage.trail(id));
    expect((await readWork(stage.database.pool)).filter((work) => work.request_id === id)).toEqual([]);
  });

  it('changes nothing for whom it was delivered to twice, or who was too slow', async () => {
    const id = await completed('twice');
    await daysGoBy(id, 30);
    await destroyNow(stage, steps, { requestId: id, deliveries: 2 });
    expect(await lastTypes(id, 2)).toEqual(['task.sentinel_absent', 'request.subject_destroyed']);
  });

  it('holds nobody up: it is handed out by any connection, paused or not, and twenty at a time', async () => {
    const { pool } = stage.database;
    await pool.query('DELETE FROM work');
    const { id } = await stage.submit('in the way');
    await pool.query(
      `INSERT INTO work (request_id, connection, kind, run_at, reason)
       SELECT id, 'no longer configured', 'destroy', now() - interval '1 day', 'retention' FROM erasure_requests`,
    );
    await pool.query(
      `INSERT INTO erasure_requests (id, state, regulation, channel, connection, subject_kind, subject_key_version,
         subject_ref, subject_sealed, submitted_by, received_at, created_at, closed_at)
       SELECT 'er_planted_' || n, 'refused', 'gdpr', 'api', 'x', 'user_id', 1, sha256(''), '', $1, now(), now(), now()
       FROM generate_series(1, 30) AS n`,
      [stage.apiKeyId],
    );
    await pool.query(
      `INSERT INTO work (request_id, connection, kind, run_at, reason)
       SELECT id, 'x', 'destroy', now() - interval '1 day', 'retention' FROM erasure_requests WHERE id LIKE 'er_planted_%'`,
    );
    const claim = () =>
      stage.deps.store.claimDueWork({ connection: 'default', handOutMs: DAY_MS, max: 100, maxPolls: 100 });
    const first = await claim();
    expect(first.filter(({ kind }) => kind === 'destroy')).toHaveLength(20);
    expect(first.filter(({ kind }) => kind === 'discover')).toHaveLength(1);
    expect(await claim()).toEqual([]);
    await pool.query(
      `UPDATE work SET lease = NULL WHERE kind = 'destroy';
       INSERT INTO connection_states (name, paused_at, paused_by, reason_sealed)
       SELECT 'default', now(), id, '' FROM api_keys LIMIT 1
       ON CONFLICT (name) DO UPDATE SET paused_at = now(), paused_by = excluded.paused_by, reason_sealed = ''`,
    );
    expect((await claim()).every(({ kind }) => kind === 'destroy')).toBe(true);
    expect((await stage.show(id)).waiting?.reason).not.toBe('retention');
  });
});
