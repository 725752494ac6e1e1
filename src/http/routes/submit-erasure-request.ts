import type { Deps } from '../../app/ports.ts';
import { submitRequest } from '../../app/submit-request.ts';
import { parseBody, parseQuery } from '../field-errors.ts';
import { idempotencyKeyOf } from '../idempotency-key.ts';
import { readJsonBody } from '../json-body.ts';
import { emptyQuerySchema } from '../query-schemas.ts';
import { answerJson, type KeyedRoute } from '../route.ts';
import { submissionSchema } from '../submission-schema.ts';

/** Takes a request in: 201 once it is stored for good. A repeated Idempotency-Key gets the very same answer. */
export function submitErasureRequest(deps: Deps): KeyedRoute {
  return {
    method: 'post',
    path: '/v1/erasure-requests',
    scope: 'requests:write',
    handle: async ({ req, res, apiKeyId }) => {
      parseQuery(emptyQuerySchema, req.query);
      const idempotencyKey = idempotencyKeyOf(req);
      const submission = parseBody(submissionSchema, await readJsonBody(req, res), 'SUBMISSION_INVALID');
      const answer = await submitRequest(deps, submission, { apiKeyId, idempotencyKey });
      res.setHeader('Location', `/v1/erasure-requests/${answer.requestId}`);
      answerJson(res, 201, answer.body);
    },
  };
}
