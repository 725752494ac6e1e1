import { afterAll, describe, expect, it } from '@jest/globals';
import { openPublisher } from '../../src/queue/queue-backend.ts';
import { createTestFolder } from '../support/postgres.ts';
import { findRedisProgram, startRedisServer } from '../support/redis-server.js';

const onRedis = findRedisProgram() === undefined ? describe.skip : describe;
const servers: { kill: () => Promise<void> }[] = [];
afterAll(() => Promise.all(servers.map((server) => server.kill())));

onRedis('the sending side of a queue', () => {
  it.each(['while Redis answers', 'while Redis is away'])('closes in order %s', async (when) => {
    const server = await startRedisServer({ directory: await createTestFolder() });
    servers.push(server);
    const options = { kind: 'redis', url: server.url, prefix: 'away' } as const;
    const publisher = await openPublisher(options, 'default', { onError: () => undefined });
    await publisher.publish([{ kind: 'submit', work: [{ id: '1', lease: crypto.randomUUID() }] }]);
    if (when.endsWith('away')) {
      await server.kill();
      await expect(publisher.ping()).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    }
    await expect(publisher.close()).resolves.toBeUndefined();
  });
});
