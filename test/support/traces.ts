import { Redis } from 'ioredis';
import type pg from 'pg';
import { z } from 'zod';
import type { QueueOptions } from '../../src/queue/queue-backend.ts';

/** Looks for what must be nowhere: a text, in every form in which it could have been written down. */

/** A form, and what it makes of a text: more than one where it depends on what stands before. */
const FORMS: readonly (readonly [name: string, write: (text: string) => readonly string[]])[] = [
  ['plain', (text) => [text]],
  ['small letters', (text) => [text.toLowerCase()]],
  ['JSON', (text) => [JSON.stringify(text).slice(1, -1)]],
  ['JSON in JSON', (text) => [JSON.stringify(JSON.stringify(text)).slice(3, -3)]],
  ['JSON of ASCII', (text) => [escaped(JSON.stringify(text).slice(1, -1))]],
  ['URL', (text) => [encodeURIComponent(text), encodeURI(text)]],
  ['a form', (text) => [new URLSearchParams({ '': text }).toString().slice(1)]],
  ['hex', (text) => [Buffer.from(text).toString('hex'), Buffer.from(text, 'utf16le').toString('hex')]],
  ['base64', (text) => base64Of(text, 'base64')],
  ['base64url', (text) => base64Of(text, 'base64url')],
];

function escaped(text: string): string {
  return text.replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** At each of the three places in a group that it can begin at; without the ends, which depend on the neighbours. */
function base64Of(text: string, encoding: 'base64' | 'base64url'): readonly string[] {
  return [0, 1, 2].map((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), Buffer.from(text)]).toString(encoding);
    return whole.slice(before === 0 ? 0 : 4, -4);
  });
}

/** The forms in which one of these texts stands in the haystack. */
export function tracesOf(texts: readonly string[], haystack: string): readonly string[] {
  const hay = haystack.toLowerCase();
  return FORMS.filter(([, write]) =>
    texts.some((text) => write(text).some((form) => hay.includes(form.toLowerCase()))),
  ).map(([name]) => name);
}

export const FORM_NAMES = FORMS.map(([name]) => name);
/** The texts in every form, one after the other. */
export function written(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(FORMS.map(([name, write]) => [name, texts.flatMap(write).join(' ')]));
}

const tables = z.array(z.object({ table: z.string() }));
const texts = z.array(z.object({ text: z.string() }));

/** Every row of every table, with bytes as text and as hex. */
export async function dumpDatabase(pool: pg.Pool): Promise<ReadonlyMap<string, string>> {
  const { rows } = await pool.query(
    `SELECT format('%I.%I', table_schema, table_name) AS table FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  const dump = new Map<string, string>();
  for (const { table } of tables.parse(rows)) {
    const read = await pool.query(`SELECT to_jsonb(t)::text AS text FROM ${table} AS t`);
    const found = texts.parse(read.rows).map(({ text }) => text);
    dump.set(table, found.map((text) => `${text}\n${bytesIn(text)}`).join('\n'));
  }
  return dump;
}

/** A bytea stands there as hex; what it spells is looked at as well. */
function bytesIn(text: string): string {
  return Array.from(text.matchAll(/\\\\x([0-9a-f]+)/g), ([, hex = '']) =>
    Buffer.from(hex, 'hex').toString(),
  ).join('\n');
}

/** Everything that the queue keeps in Redis. */
export async function dumpRedis(queue: QueueOptions): Promise<string> {
  if (queue.kind !== 'redis') return '';
  const redis = new Redis(queue.url);
  try {
    const found: string[] = [];
    for (const key of await redis.keys(`${queue.prefix}*`))
      found.push(key, JSON.stringify(await valueOf(redis, key)));
    return found.join('\n');
  } finally {
    redis.disconnect();
  }
}

async function valueOf(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      return null;
  }
}
