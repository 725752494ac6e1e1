import { z } from 'zod';
import { requestView } from '../../app/request-schema.ts';
import { submitRequest } from '../../app/submit-request.ts';
import { jsonBody } from '../json-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';
import { submissionSchema } from '../submission-schema.ts';

const location = z
  .string()
  .regex(/^\/v1\/erasure-requests\/er_[0-9a-f]{32}$/)
  .meta({ description: 'Path of the request.' });

/** Takes a request in: 201 once it is stored for good. A repeated Idempotency-Key gets the very same answer. */
export const submitErasureRequest = keyedRoute({
  method: 'post',
  path: '/v1/erasure-requests',
  scope: 'requests:write',
  operationId: 'submitErasureRequest',
  tag: 'erasure requests',
  summary: 'Take an erasure request in',
  description: `Once 201 is sent, the request is stored for good. A user id that can never be sent to OpenReplay safely
is taken in all the same and shown as \`unroutable\`, for a person to deal with.`,
  takesIdempotencyKey: true,
  body: jsonBody(submissionSchema, 'SUBMISSION_INVALID'),
  answers: {
    201: jsonAnswer(
      'Taken in; or, for a repeated Idempotency-Key, the answer that it got first.',
      requestView,
      {
        Location: location,
      },
    ),
  },
  handle: async ({ deps, body, apiKeyId, idempotencyKey }) => {
    const answer = await submitRequest(deps, body, { apiKeyId, idempotencyKey, channel: 'api' });
    return {
      status: 201,
      headers: { Location: `/v1/erasure-requests/${answer.requestId}` },
      json: answer.body,
    };
  },
});
