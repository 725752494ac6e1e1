import { z } from 'zod';
import { importRequests } from '../../app/import-requests.ts';
import { importView } from '../../app/import-schema.ts';
import { importBody } from '../import-body.ts';
import { jsonAnswer, keyedRoute } from '../route.ts';

const location = z
  .string()
  .regex(/^\/v1\/imports\/im_[0-9a-f]{32}$/)
  .meta({ description: 'Path of the import. Problems have it too, once there is an import.' });

/** Takes a file in as it is read; answers when it is through. */
export const importSubmissions = keyedRoute({
  method: 'post',
  path: '/v1/imports',
  scope: 'requests:write',
  operationId: 'importSubmissions',
  tag: 'imports',
  summary: 'Take in the erasure requests of a file',
  description: `The file is taken in while it is sent, and the answer comes when it is through. Each row that can be accepted
becomes a request of the channel \`import\`; the others are reported by line. The file sent again, whatever broke off the first
time, makes nothing twice: a row that is equal to one that this API key has sent before is counted as \`repeated\`. An
Idempotency-Key names the import, so that \`GET /v1/imports?idempotencyKey=...\` shows it while it is sent, and the file sent
again goes on with the same import.`,
  takesIdempotencyKey: true,
  body: importBody,
  answers: {
    201: jsonAnswer('Read to its end. Rows may have been rejected.', importView, { Location: location }),
  },
  problems: ['IMPORT_TAKEN_OVER'],
  handle: async ({ deps, body, apiKeyId, idempotencyKey }) => {
    const view = await importRequests(deps, body, { apiKeyId, idempotencyKey });
    return { status: 201, headers: { Location: `/v1/imports/${view.id}` }, body: view };
  },
});
