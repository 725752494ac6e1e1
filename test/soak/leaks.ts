import { Redis } from 'ioredis';

/** Says which form of the marker a text holds, undefined for none. */
export type FindLeak = (text: string) => string | undefined;

/**
 * Looks for the part of all identifiers that nothing else has: plain in whatever case (so also in URLs, where its letters
 * stand as they are), in hex, and in base64 at each of the three places where it may begin.
 */
export function leakFinder(marker: string): FindLeak {
  const word = marker.replace(/^subject-/, '');
  const folded = [word, Buffer.from(word).toString('hex')];
  const exact = [word, word.toUpperCase()].flatMap((text) => [0, 1, 2].map((shift) => base64At(text, shift)));
  return (text) => {
    const lower = text.toLowerCase();
    return folded.find((needle) => lower.includes(needle)) ?? exact.find((needle) => text.includes(needle));
  };
}

/** The characters that are the same whatever stands before and after. */
function base64At(text: string, shift: number): string {
  const encoded = Buffer.concat([Buffer.alloc(shift), Buffer.from(text)]).toString('base64');
  const end = Math.floor(((shift + text.length) * 8) / 6);
  return encoded.slice(Math.ceil((shift * 8) / 6), end);
}

/** Every key of a Redis with all it holds, as text. Throws while Redis is away. */
export async function dumpRedis(url: string): Promise<{ keys: number; text: string }> {
  const redis = new Redis(url, {
    ...{ lazyConnect: true, maxRetriesPerRequest: 0, commandTimeout: 3_000, connectTimeout: 1_000 },
    retryStrategy: () => null,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const parts: string[] = [];
    let keys = 0;
    let cursor = '0';
    do {
      const [next, found] = await redis.scan(cursor, 'COUNT', 500);
      cursor = next;
      keys += found.length;
      const texts = await Promise.all(found.map(async (key) => `${key} ${await textOf(redis, key)}`));
      parts.push(...texts);
    } while (cursor !== '0');
    return { keys, text: parts.join('\n') };
  } finally {
    redis.disconnect();
  }
}

async function textOf(redis: Redis, key: string): Promise<string> {
  switch (await redis.type(key)) {
    case 'string':
      return (await redis.get(key)) ?? '';
    case 'hash':
      return JSON.stringify(await redis.hgetall(key));
    case 'list':
      return JSON.stringify(await redis.lrange(key, 0, -1));
    case 'set':
      return JSON.stringify(await redis.smembers(key));
    case 'zset':
      return JSON.stringify(await redis.zrange(key, '0', '-1'));
    case 'stream':
      return JSON.stringify(await redis.xrange(key, '-', '+'));
    default:
      return '';
  }
}
