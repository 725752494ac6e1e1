import type { Response } from 'express';
import { z } from 'zod';
import { remainingOf, type Quota } from '../domain/rate-limit.ts';

/** The headers that announceQuota sets, for the OpenAPI document. */
export const quotaHeaders = {
  'RateLimit-Policy': z
    .string()
    .regex(/^"(key|address|source)";q=[0-9]+;w=[0-9]+$/)
    .meta({
      description:
        'The limit: `q` calls in `w` seconds, of this key, of one source of tickets, or of wrong keys from one address.',
      header: { id: 'RateLimitPolicy' },
    }),
  RateLimit: z
    .string()
    .regex(/^"(key|address|source)";r=[0-9]+;t=[0-9]+$/)
    .meta({
      description: 'What is left of it: `r` calls, and all of them again in `t` seconds.',
      header: { id: 'RateLimit' },
    }),
};

/**
 * Says what is left of a limit, as structured fields: draft-ietf-httpapi-ratelimit-headers, from its version 8 on. There
 * `q` is the quota, `w` its window in seconds, `r` what remains and `t` the seconds until it is whole again.
 */
export function quotaHeadersOf(
  policy: 'key' | 'address' | 'source',
  quota: Quota,
): Readonly<Record<string, string>> {
  const { requests, perSeconds } = quota.limit;
  return {
    'RateLimit-Policy': `"${policy}";q=${requests};w=${perSeconds}`,
    RateLimit: `"${policy}";r=${remainingOf(quota)};t=${quota.resetsInSeconds}`,
  };
}

/** Sets them on an answer. */
export function announceQuota(res: Response, policy: 'key' | 'address', quota: Quota): void {
  for (const [name, value] of Object.entries(quotaHeadersOf(policy, quota))) res.setHeader(name, value);
}
