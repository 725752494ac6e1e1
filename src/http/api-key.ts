import { createHash } from 'node:crypto';
import { authenticate, mayDo, type Authentication, type Scope } from '../app/authenticate.ts';
import type { Deps } from '../app/ports.ts';
import type { ApiKey } from '../app/ports/keys.ts';
import type { RateLimit } from '../domain/rate-limit.ts';
import { networkOf } from './caller-network.ts';
import { HttpProblem } from './problem.ts';
import { announceQuota } from './rate-limit-headers.ts';
import { noteForLog } from './request-log.ts';
import type { Exchange } from './route.ts';

/** Longer ones are refused before they are hashed. */
const TOKEN_MAX = 200;
/** RFC 6750's b64token. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i;
const CHALLENGE = 'Bearer realm="lethe"';

/**
 * The API key that the request came with, if it may do what needs `scope`. The answer says what is left of the limit.
 *
 * @throws HttpProblem API_KEY_MISSING, API_KEY_REFUSED or SCOPE_MISSING, with the challenge of RFC 6750; RATE_LIMITED
 */
export async function authorize(
  { deps, rateLimit }: { deps: Pick<Deps, 'store' | 'vault'>; rateLimit: RateLimit },
  { req, res }: Exchange,
  scope: Scope,
): Promise<ApiKey> {
  const seen = await authenticate(deps, {
    tokenHash: hashOf(tokenOf(req.headers.authorization)),
    network: networkOf(req.ip),
    keyLimit: rateLimit,
  });
  const { key: known } = seen;
  if (known !== undefined) noteForLog(req, { apiKeyId: known.id });
  announceQuota(res, known === undefined ? 'address' : 'key', seen.quota);
  const key = acceptedKey(seen);
  if (mayDo(key, scope)) return key;
  throw new HttpProblem('SCOPE_MISSING', `This needs an API key with the scope ${scope}.`, {
    headers: { 'WWW-Authenticate': `${CHALLENGE}, error="insufficient_scope", scope="${scope}"` },
  });
}

function acceptedKey(seen: Authentication): ApiKey {
  switch (seen.outcome) {
    case 'accepted':
      return seen.key;
    case 'refused':
      throw refused();
    case 'limited':
      throw limited(seen);
  }
}

function limited({ key, quota }: Authentication & { outcome: 'limited' }): HttpProblem {
  const { requests, perSeconds } = quota.limit;
  const detail =
    key === undefined
      ? 'Too many wrong API keys came from this address. A right one is accepted all the same.'
      : `This API key may make ${requests} calls in ${perSeconds} s.`;
  return new HttpProblem('RATE_LIMITED', detail, {
    headers: { 'Retry-After': String(quota.resetsInSeconds) },
  });
}

function tokenOf(header: string | undefined): string {
  if (header === undefined) {
    throw new HttpProblem('API_KEY_MISSING', 'Expected the header Authorization: Bearer <API key>.', {
      headers: { 'WWW-Authenticate': CHALLENGE },
    });
  }
  const token = BEARER.exec(header)?.[1];
  if (token === undefined || token.length > TOKEN_MAX) throw refused();
  return token;
}

function refused(): HttpProblem {
  return new HttpProblem('API_KEY_REFUSED', 'The API key is malformed, not known, or no longer valid.', {
    headers: { 'WWW-Authenticate': `${CHALLENGE}, error="invalid_token"` },
  });
}

/** SHA-256, as API keys are stored. */
function hashOf(token: string): Uint8Array {
  return createHash('sha256').update(token, 'utf8').digest();
}
