import { cp, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { z } from 'zod';
import { migrate } from '../../db/migrate.ts';
import { findMigrationFolder } from '../../db/migration-files.ts';
import { cancelRequest } from '../../src/app/cancel-request.ts';
import { sealEvents } from '../../src/app/seal-events.ts';
import { openCheckpoint } from '../../src/evidence/checkpoint.ts';
import { consistencyPath } from '../../src/evidence/merkle-tree.ts';
import { verifyConsistency } from '../../src/evidence/merkle-verify.ts';
import { Tiles } from '../../src/evidence/tiles.ts';
import { startSealer } from '../../workers/sealer.ts';
import { openTestLog, readLeaves, rootOfLeaves, type TestLog } from '../support/log.ts';
import { createEmptyDatabase, createTestFolder } from '../support/postgres.ts';
import { openStage, type Stage } from '../support/stage.ts';

let stage: Stage;
let log: TestLog;
beforeAll(async () => {
  stage = await openStage({ backend: { name: 'postgres', redisUrl: undefined }, withoutWorker: true });
  log = openTestLog(stage.database.pool);
});
afterAll(() => stage.close());
beforeEach(() => log.sealAll());

const heads = z.array(z.object({ size: z.coerce.number(), root: z.instanceof(Buffer), note: z.string() }));
async function readHeads(pool = stage.database.pool): Promise<z.infer<typeof heads>> {
  return heads.parse((await pool.query('SELECT size, root, note FROM checkpoints ORDER BY size')).rows);
}
const tileRows = z.array(
  z.object({ level: z.number(), index: z.coerce.number(), hashes: z.instanceof(Buffer) }),
);
async function readTiles(): Promise<Tiles> {
  return new Tiles(tileRows.parse((await stage.database.pool.query('SELECT * FROM log_tiles')).rows));
}
const count = async (table: string, pool = stage.database.pool): Promise<number> =>
  (await pool.query(`SELECT FROM ${table}`)).rowCount ?? 0;

/** As a superuser who means harm would: nothing that the database refuses by itself is in the way. */
async function tamper(...statements: readonly string[]): Promise<void> {
  const client = await stage.database.pool.connect();
  try {
    await client.query('ALTER TABLE audit_events DISABLE TRIGGER USER');
    for (const statement of statements) await client.query(statement);
    await client.query('ALTER TABLE audit_events ENABLE TRIGGER USER');
  } finally {
    client.release();
  }
}

describe('events that are written', () => {
  it('wait to be sealed, and become leaves of a tree whose head is signed', async () => {
    const { id } = await stage.submit('first');
    await cancelRequest(stage.deps, { requestId: id, apiKeyId: stage.apiKeyId });
    expect((await log.log.getLag()).runs).toBeGreaterThanOrEqual(2);
    const before = (await readLeaves(stage.database.pool)).length;
    const sealed = await log.sealAll();
    expect(sealed).toBeGreaterThanOrEqual(2);
    expect(await log.log.getLag()).toEqual({ runs: 0, oldestSeconds: 0 });
    const leaves = await readLeaves(stage.database.pool);
    expect(leaves.map(({ leaf }) => leaf)).toEqual(leaves.map((_, index) => index));
    const mine = leaves.filter(({ request_id: of }) => of === id);
    expect(mine.map(({ seq }) => seq)).toEqual(mine.map((_, index) => index));
    expect(leaves).toHaveLength(before + sealed);
    const head = (await readHeads()).at(-1);
    const checkpoint = openCheckpoint(head?.note ?? '', log.signer);
    expect(checkpoint.size).toBe(leaves.length);
    expect(Buffer.from(checkpoint.root).toString('base64')).toBe(await rootOfLeaves(stage.database.pool));
  });

  it('of keys and holds are leaves, too', async () => {
    const leaves = await readLeaves(stage.database.pool);
    expect(leaves.filter(({ request_id: of }) => of === null).map(({ seq }) => seq)).toEqual(
      Array.from({ length: await count('admin_events') }, (_, seq) => seq),
    );
  });

  it('by many at once are each sealed once, by several sealers, and every head is the beginning of the next', async () => {
    const sealers = [1, 2, 3].map(() =>
      startSealer({ store: log.log, tree: log.tree, intervalMs: 1, log: stage.deps.log }),
    );
    const left = Array.from({ length: 150 }, (_, n) => `many-${n}`);
    const submitAll = async () => {
      for (let userId = left.pop(); userId !== undefined; userId = left.pop()) await stage.submit(userId);
    };
    try {
      await Promise.all([1, 2, 3, 4, 5, 6].map(submitAll));
    } finally {
      for (const sealer of sealers) await sealer.stop();
    }
    await log.sealAll();
    const leaves = await readLeaves(stage.database.pool);
    expect(leaves).toHaveLength((await count('audit_events')) + (await count('admin_events')));
    expect(leaves.map(({ leaf }) => leaf)).toEqual(leaves.map((_, index) => index));
    const tiles = await readTiles();
    const all = await readHeads();
    expect(all.length).toBeGreaterThan(3);
    for (const [index, { size: size2, root: root2, note }] of all.entries()) {
      expect(openCheckpoint(note, log.signer)).toEqual({ origin: log.signer.name, size: size2, root: root2 });
      const before = all[index - 1];
      if (before === undefined) continue;
      const { size: size1, root: root1 } = before;
      const proof = consistencyPath(size1, size2).map((part) => tiles.hashOf(part));
      expect(verifyConsistency({ size1, size2, root1, root2, proof })).toBe(true);
    }
    expect(all.at(-1)?.root.toString('base64')).toBe(await rootOfLeaves(stage.database.pool));
  });
});

describe('what was tampered with before it was sealed', () => {
  it('an event that is gone stops the sealing, and nothing is signed', async () => {
    const { id } = await stage.submit('gone');
    const before = await readHeads();
    await tamper(
      `CREATE TABLE kept AS SELECT * FROM audit_events WHERE request_id = '${id}' AND seq = 0`,
      `DELETE FROM audit_events WHERE request_id = '${id}' AND seq = 0`,
    );
    await expect(sealEvents(log)).rejects.toMatchObject({ code: 'LOG_EVENT_MISSING' });
    expect(await readHeads()).toEqual(before);
    expect(await count('unsealed_events')).toBeGreaterThan(0);
    await tamper('INSERT INTO audit_events SELECT * FROM kept', 'DROP TABLE kept');
    await log.sealAll();
    expect((await readHeads()).at(-1)?.root.toString('base64')).toBe(await rootOfLeaves(stage.database.pool));
  });

  it.each([
    [
      'a hash changed',
      `UPDATE log_tiles SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1) WHERE index = (SELECT max(index) FROM log_tiles WHERE level = 0) AND level = 0`,
    ],
    [
      'a hash less',
      `UPDATE log_tiles SET hashes = substring(hashes FROM 1 FOR octet_length(hashes) - 32) WHERE index = (SELECT max(index) FROM log_tiles WHERE level = 0) AND level = 0`,
    ],
    [
      'the last of them gone',
      'DELETE FROM log_tiles WHERE level = 0 AND index = (SELECT max(index) FROM log_tiles WHERE level = 0)',
    ],
  ])('tiles with %s are not signed over', async (_what, statement) => {
    await stage.submit('tiles');
    const before = await readHeads();
    await stage.database.pool.query('CREATE TABLE tiles_kept AS SELECT * FROM log_tiles');
    await stage.database.pool.query(statement);
    await expect(sealEvents(log)).rejects.toMatchObject({ code: 'LOG_INCONSISTENT' });
    expect(await readHeads()).toEqual(before);
    await stage.database.pool.query(
      'DELETE FROM log_tiles; INSERT INTO log_tiles SELECT * FROM tiles_kept; DROP TABLE tiles_kept',
    );
    expect(await log.sealAll()).toBeGreaterThan(0);
  });
});

describe('events from before there was a log', () => {
  it('are sealed first', async () => {
    const database = await createEmptyDatabase();
    const folder = path.join(await createTestFolder(), 'migrations');
    await mkdir(folder);
    const all = findMigrationFolder();
    for (const file of (await readdir(all)).filter((name) => name < '0010'))
      await cp(path.join(all, file), path.join(folder, file));
    await migrate(database.pool, { directory: folder });
    const pool = new pg.Pool({ connectionString: database.connectionString, max: 2 });
    await stage.submit('older');
    await pool.query(
      "INSERT INTO api_keys (id, name, token_hash, scopes, created_at) VALUES ('ak', 'a', sha256('a'), '{admin}', now())",
    );
    const columns = await stage.database.pool.query('SELECT * FROM erasure_requests LIMIT 3');
    const { rows: known } = await pool.query(
      "SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'erasure_requests'",
    );
    const then = new Set(
      z
        .array(z.object({ name: z.string() }))
        .parse(known)
        .map(({ name }) => name),
    );
    for (const row of z.array(z.record(z.string(), z.unknown())).parse(columns.rows)) {
      const names = Object.keys(row).filter((name) => name !== 'submitted_by' && then.has(name));
      await pool.query(
        `INSERT INTO erasure_requests (submitted_by, ${names.join(', ')}) VALUES ('ak', ${names.map((_, index) => `$${index + 1}`).join(', ')})`,
        names.map((name) => row[name]),
      );
      await pool.query(
        "INSERT INTO audit_events (request_id, seq, type, bytes) SELECT $1::text, seq, 'x', sha256($1::text::bytea || seq::text::bytea) FROM generate_series(0, 4) AS seq",
        [row['id']],
      );
    }
    await pool.query(
      "INSERT INTO admin_events (seq, type, bytes) SELECT seq, 'x', sha256(seq::text::bytea) FROM generate_series(0, 2) AS seq",
    );
    await migrate(pool);
    const older = openTestLog(pool);
    expect(await older.sealAll()).toBe(18);
    expect((await readHeads(pool)).at(-1)?.root.toString('base64')).toBe(await rootOfLeaves(pool));
    await pool.end();
    await database.drop();
  });
});
