import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sealEvents } from '../../src/app/seal-events.ts';
import { auditLog, type LogAuditReport, type PublishedCheckpoint } from '../../src/evidence/audit-log.ts';
import { createTreeGrower } from '../../src/evidence/tree-grower.ts';
import { formatVerifierKey } from '../../src/evidence/signed-note.ts';
import { startLethe, stageEnvironment } from '../support/lethe-process.ts';
import { openTestLog, readLeaves, type TestLog } from '../support/log.ts';
import { createTestFolder } from '../support/postgres.ts';
import { openStage, type Stage } from '../support/stage.ts';

const REQUESTS = 2_000;
const AT_A_TIME = 6;

const masterKey = randomBytes(32);
let stage: Stage;
let log: TestLog;
/** Checkpoints that have left the machine, on the way and at the end. */
const published: PublishedCheckpoint[] = [];
let leaves: Awaited<ReturnType<typeof readLeaves>>;

beforeAll(async () => {
  stage = await openStage({
    backend: { name: 'postgres', redisUrl: undefined },
    withoutWorker: true,
    masterKey,
  });
  log = openTestLog(stage.database.pool);
  const left = Array.from({ length: REQUESTS }, (_, n) => `user-${n}`);
  const submitAll = async () => {
    for (let userId = left.pop(); userId !== undefined; userId = left.pop()) {
      await stage.submit(userId);
      if (left.length % 500 === 0) await publish();
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, submitAll));
  await publish();
  leaves = await readLeaves(stage.database.pool);
}, 120_000);
afterAll(() => stage.close());

async function publish(): Promise<void> {
  await log.sealAll();
  const head = await log.log.findHead();
  if (head) published.push({ note: head.note, from: `checkpoint ${published.length + 1} of the file` });
}

const audit = (checkpoints: readonly PublishedCheckpoint[] = []): Promise<LogAuditReport> =>
  log.log.read((reader) => auditLog(reader, { verifiers: [log.signer], published: checkpoints }));

/** As a superuser who means harm: the triggers are off, and afterwards everything is as it was. */
async function tampered<T>(statements: readonly string[], look: () => Promise<T>): Promise<T> {
  const { pool } = stage.database;
  const tables = ['audit_events', 'sealed_events', 'checkpoints', 'log_tiles', 'unsealed_events'];
  for (const table of tables) {
    await pool.query(`CREATE TABLE ${table}_kept AS SELECT * FROM ${table}`);
    await pool.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
  }
  try {
    for (const statement of statements) await pool.query(statement);
    return await look();
  } finally {
    for (const table of tables) {
      await pool.query(`DELETE FROM ${table}`);
      await pool.query(`INSERT INTO ${table} OVERRIDING SYSTEM VALUE SELECT * FROM ${table}_kept`);
      await pool.query(`DROP TABLE ${table}_kept`);
    }
  }
}

/** Some event in the middle of the log, and where it stands. */
function victim(seq = 1): { leaf: number; id: string; where: string } {
  const found = leaves
    .slice(Math.floor(leaves.length / 2))
    .find((leaf) => leaf.request_id !== null && leaf.seq === seq);
  if (found?.request_id == null) throw new Error('no such event');
  return {
    leaf: found.leaf,
    id: found.request_id,
    where: `request_id = '${found.request_id}' AND seq = ${seq}`,
  };
}

describe('a log that nobody has touched', () => {
  it('is what was signed, to the last published checkpoint', async () => {
    const report = await audit(published);
    expect(report).toMatchObject({ events: leaves.length, findings: [], findingsInAll: 0, unsealed: 0 });
    expect(report.events).toBeGreaterThan(2 * REQUESTS);
    expect(report.checkpoints).toBeGreaterThan(published.length);
  });
});

describe('what a superuser does to the database is found, and the event is named', () => {
  it('one byte of an event changed', async () => {
    const { leaf, id, where } = victim();
    const change = `UPDATE audit_events SET bytes = set_byte(bytes, 30, get_byte(bytes, 30) # 1) WHERE ${where}`;
    const { findings } = await tampered([change], () => audit());
    expect(findings).toContainEqual(
      expect.objectContaining({ code: 'event_changed', leaf, requestId: id, seq: 1 }),
    );
    expect(findings).toContainEqual(expect.objectContaining({ code: 'checkpoint_differs' }));
  });

  it('one byte changed, and the hash that is kept of it, too', async () => {
    const { leaf, where } = victim();
    const { findings } = await tampered(
      [
        `UPDATE audit_events SET bytes = set_byte(bytes, 30, get_byte(bytes, 30) # 1) WHERE ${where}`,
        `UPDATE log_tiles SET hashes = overlay(hashes PLACING (SELECT sha256('\\x00' || bytes) FROM audit_events WHERE ${where})
           FROM ${(leaf % 256) * 32 + 1} FOR 32) WHERE level = 0 AND index = ${Math.floor(leaf / 256)}`,
      ],
      () => audit(),
    );
    expect(findings).toContainEqual(expect.objectContaining({ code: 'checkpoint_differs' }));
    const [first] = findings;
    expect(first?.leaf).toBeLessThanOrEqual(leaf);
  });

  it('an event removed', async () => {
    const { leaf, id, where } = victim();
    const { findings } = await tampered([`DELETE FROM audit_events WHERE ${where}`], () => audit());
    expect(findings).toContainEqual(
      expect.objectContaining({ code: 'event_missing', leaf, requestId: id, seq: 1 }),
    );
  });

  it('two events swapped', async () => {
    const [one, other] = [victim(0), victim(1)];
    const { findings } = await tampered(
      [
        `UPDATE audit_events SET bytes = other.bytes FROM audit_events_kept other WHERE audit_events.${one.where.replace(' seq', ' audit_events.seq')} AND other.${other.where.replace(' seq', ' other.seq')}`,
        `UPDATE audit_events SET bytes = other.bytes FROM audit_events_kept other WHERE audit_events.${other.where.replace(' seq', ' audit_events.seq')} AND other.${one.where.replace(' seq', ' other.seq')}`,
      ],
      () => audit(),
    );
    for (const { leaf, id } of [one, other])
      expect(findings).toContainEqual(
        expect.objectContaining({ code: 'event_changed', leaf, requestId: id }),
      );
    expect(findings.filter(({ code }) => code === 'event_misplaced')).toHaveLength(2);
  });

  it('an event put in', async () => {
    const { id } = victim();
    const put = `INSERT INTO audit_events (request_id, seq, type, bytes) SELECT request_id, 77, type, bytes FROM audit_events WHERE request_id = '${id}' AND seq = 0`;
    const { findings } = await tampered([put], () => audit());
    expect(findings).toEqual([expect.objectContaining({ code: 'event_not_sealed', requestId: id, seq: 77 })]);
  });

  it('a whole request removed, with everything that says which events were its', async () => {
    const { id } = victim();
    const gone = leaves.filter(({ request_id: of }) => of === id);
    const { findings } = await tampered(
      [
        `DELETE FROM audit_events WHERE request_id = '${id}'`,
        `DELETE FROM sealed_events WHERE request_id = '${id}'`,
      ],
      () => audit(),
    );
    expect(findings[0]).toMatchObject({ code: 'leaves_missing', leaf: gone[0]?.leaf });
    const named = findings.filter(({ code }) => code === 'event_missing').map(({ leaf }) => leaf);
    expect(named).toEqual(gone.map(({ leaf }) => leaf));
  });

  it('the end cut off, with the checkpoints of it: by what was published', async () => {
    const cut = Math.floor(leaves.length * 0.9);
    const end = leaves.findLast(({ leaf, seq }) => leaf <= cut && seq === 0)?.leaf ?? 0;
    const { findings } = await tampered(
      [
        `DELETE FROM audit_events USING sealed_events s WHERE s.request_id = audit_events.request_id AND seq BETWEEN first_seq AND last_seq AND first_leaf >= ${end}`,
        `DELETE FROM sealed_events WHERE first_leaf >= ${end}`,
        `DELETE FROM checkpoints WHERE size > ${end}`,
      ],
      () => audit(published),
    );
    expect(findings[0]).toMatchObject({ code: 'log_too_short', leaf: end });
  });

  it('everything written and signed anew with the real key: by what was published, and where it begins', async () => {
    const { leaf, where } = victim();
    const tree = createTreeGrower(log.signer);
    const { findings } = await tampered(
      [
        `UPDATE audit_events SET bytes = set_byte(bytes, 30, get_byte(bytes, 30) # 1) WHERE ${where}`,
        'INSERT INTO unsealed_events (request_id, first_seq, last_seq) SELECT request_id, first_seq, last_seq FROM sealed_events ORDER BY first_leaf',
        'DELETE FROM checkpoints',
        'DELETE FROM sealed_events',
        'DELETE FROM log_tiles',
      ],
      async () => {
        while ((await sealEvents({ log: log.log, tree })) > 0);
        expect(await audit()).toMatchObject({ events: leaves.length, findings: [] });
        return audit(published);
      },
    );
    expect(findings.length).toBeGreaterThan(0);
    for (const finding of findings) expect(finding).toMatchObject({ code: 'checkpoint_differs' });
    expect(findings[0]?.leaf).toBeLessThanOrEqual(leaf);
    expect(findings[0]?.message).toMatch(/of the file has signed/);
  });

  it('a checkpoint of another key', async () => {
    const other = openTestLog(stage.database.pool, log.signer.name);
    const note = other.tree.grow({ head: other.tree.emptyHead, edge: [] }, [Buffer.from('x')]).head.note;
    const { findings } = await audit([{ note, from: 'a file' }]);
    expect(findings).toEqual([expect.objectContaining({ code: 'signature_invalid' })]);
  });
});

describe('lethe audit', () => {
  const call = async (...args: string[]) => {
    const lethe = startLethe('lethe', await stageEnvironment(stage, masterKey), { args: ['audit', ...args] });
    return { status: await lethe.ended(), output: lethe.output() };
  };

  it('verify checks with the key and the checkpoints that it is given, and ends with 1 where something is wrong', async () => {
    const file = path.join(await createTestFolder(), 'published.txt');
    await writeFile(file, published.map(({ note }) => note).join('\n'));
    const withKey = ['verify', '--key', formatVerifierKey(log.signer), '--checkpoint', file];
    const good = await call(...withKey);
    expect(good.output).toContain(`The log is what was signed: ${leaves.length} events in`);
    expect(good.status).toBe(0);
    const { where } = victim();
    const change = `UPDATE audit_events SET bytes = set_byte(bytes, 30, get_byte(bytes, 30) # 1) WHERE ${where}`;
    const bad = await tampered([change], () => call(...withKey, '--json'));
    expect(bad.status).toBe(1);
    expect(bad.output).toContain('"code":"event_changed"');
    const unknown = await call('verify');
    expect(unknown.output).toMatch(
      /WRONG {2}the checkpoint of \d+ events in the database is not signed by a key of this log/,
    );
    expect(unknown.status).toBe(1);
  });

  it('key and checkpoint show what it takes to check', async () => {
    const key = await call('key');
    expect(key.output).toMatch(/^lethe\/default\+[0-9a-f]{8}\+[A-Za-z0-9+/]{43,44}=*$/m);
    const checkpoint = await call('checkpoint');
    expect(checkpoint.output).toContain(published.at(-1)?.note.trimEnd());
  });

  it('says that a file of checkpoints is none', async () => {
    const file = path.join(await createTestFolder(), 'other.txt');
    await writeFile(file, 'nothing of the kind\n');
    const refused = await call('verify', '--checkpoint', file);
    expect(refused.output).toContain('something that is no signed note');
    expect(refused.status).toBe(1);
    expect((await call('verify', '--checkpoint', `${file}.missing`)).status).toBe(2);
    expect((await call('verify', '--key', 'nonsense')).output).toContain('A verifier key reads NAME');
  });
});
