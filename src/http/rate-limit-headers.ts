import type { Response } from 'express';
import { z } from 'zod';
import { remainingOf, type Quota } from '../domain/rate-limit.ts';

/** The headers that announceQuota sets, for the OpenAPI document. */
export const quotaHeaders = {
  'RateLimit-Policy': z
    .string()
    .regex(/^"(key|address)";q=[0-9]+;w=[0-9]+$/)
    .meta({
      description: 'The limit: `q` calls in `w` seconds, of this key, or of wrong keys from one address.',
      header: { id: 'RateLimitPolicy' },
    }),
  RateLimit: z
    .string()
    .regex(/^"(key|address)";r=[0-9]+;t=[0-9]+$/)
    .meta({
      description: 'What is left of it: `r` calls, and all of them again in `t` seconds.',
      header: { id: 'RateLimit' },
    }),
};

/**
 * Says what is left of a limit, as structured fields: draft-ietf-httpapi-ratelimit-headers, from its version 8 on. There
 * `q` is the quota, `w` its window in seconds, `r` what remains and `t` the seconds until it is whole again.
 */
export function announceQuota(res: Response, policy: 'key' | 'address', quota: Quota): void {
  const { requests, perSeconds } = quota.limit;
  res.setHeader('RateLimit-Policy', `"${policy}";q=${requests};w=${perSeconds}`);
  res.setHeader('RateLimit', `"${policy}";r=${remainingOf(quota)};t=${quota.resetsInSeconds}`);
}
