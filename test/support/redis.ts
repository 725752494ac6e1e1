export type QueueBackend =
  | { readonly name: 'postgres'; readonly redisUrl: undefined }
  | { readonly name: 'redis'; readonly redisUrl: string };

/**
 * The Redis of this run; undefined when there is none (global-setup.js has said so then). On the run's own Redis
 * each jest worker has a database of its own, so that suites at the same time do not meet.
 */
function redisUrl(): string | undefined {
  const url = process.env['LETHE_TEST_REDIS_URL'];
  if (url === undefined || process.env['LETHE_TEST_REDIS_OWN'] !== '1') return url;
  return `${url}/${process.env['JEST_WORKER_ID'] ?? '0'}`;
}

/** What the queue can run on here, for `describe.each(queueBackends())('on $name', ...)`. */
export function queueBackends(): readonly QueueBackend[] {
  const url = redisUrl();
  const postgres = { name: 'postgres', redisUrl: undefined } as const;
  return url === undefined ? [postgres] : [postgres, { name: 'redis', redisUrl: url }];
}
