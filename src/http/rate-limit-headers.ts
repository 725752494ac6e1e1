import type { Response } from 'express';
import { remainingOf, type Quota } from '../domain/rate-limit.ts';

/**
 * Says what is left of a limit, as structured fields: draft-ietf-httpapi-ratelimit-headers, from its version 8 on. There
 * `q` is the quota, `w` its window in seconds, `r` what remains and `t` the seconds until it is whole again.
 */
export function announceQuota(res: Response, policy: 'key' | 'address', quota: Quota): void {
  const { requests, perSeconds } = quota.limit;
  res.setHeader('RateLimit-Policy', `"${policy}";q=${requests};w=${perSeconds}`);
  res.setHeader('RateLimit', `"${policy}";r=${remainingOf(quota)};t=${quota.resetsInSeconds}`);
}
