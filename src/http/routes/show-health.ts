import { z } from 'zod';
import { jsonAnswer, publicRoute } from '../route.ts';

/** The process is alive; says nothing of what it needs. */
export const showHealth = publicRoute({
  method: 'get',
  path: '/healthz',
  scope: null,
  operationId: 'showHealth',
  tag: 'service',
  summary: 'Whether the process is alive',
  answers: { 200: jsonAnswer('It is.', z.strictObject({ status: z.literal('alive') })) },
  handle: () => ({ status: 200, body: { status: 'alive' as const } }),
});
