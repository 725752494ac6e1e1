import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { findKey, mayDo, type Scope } from '../app/authenticate.ts';
import type { ApiKey, Deps } from '../app/ports.ts';
import { HttpProblem } from './problem.ts';

/** Longer ones are refused before they are hashed. */
const TOKEN_MAX = 200;
/** RFC 6750's b64token. */
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i;
const CHALLENGE = 'Bearer realm="lethe"';

/**
 * The API key that the request came with, if it may do what needs `scope`.
 *
 * @throws HttpProblem API_KEY_MISSING, API_KEY_REFUSED or SCOPE_MISSING, with the challenge of RFC 6750
 */
export async function authorize(
  deps: Pick<Deps, 'store'>,
  req: IncomingMessage,
  scope: Scope,
): Promise<ApiKey> {
  const key = await findKey(deps, hashOf(tokenOf(req.headers.authorization)));
  if (key === undefined) throw refused();
  if (mayDo(key, scope)) return key;
  throw new HttpProblem('SCOPE_MISSING', `This needs an API key with the scope ${scope}.`, {
    headers: { 'WWW-Authenticate': `${CHALLENGE}, error="insufficient_scope", scope="${scope}"` },
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
  return new HttpProblem('API_KEY_REFUSED', 'The API key is malformed, not known, or was revoked.', {
    headers: { 'WWW-Authenticate': `${CHALLENGE}, error="invalid_token"` },
  });
}

/** SHA-256, as API keys are stored. */
function hashOf(token: string): Uint8Array {
  return createHash('sha256').update(token, 'utf8').digest();
}
