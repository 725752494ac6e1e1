import { z } from 'zod';
import { issueCertificate } from '../../app/issue-certificate.ts';
import { requestPath } from '../request-path.ts';
import { keyedRoute } from '../route.ts';

/** The certificate of an erasure. Each issue is an audit event. */
export const showCertificate = keyedRoute({
  method: 'get',
  path: '/v1/erasure-requests/:id/certificate',
  scope: 'requests:read',
  operationId: 'showCertificate',
  tag: 'erasure requests',
  summary: 'Get the certificate of an erasure',
  description: `Only of a request that was carried out and verified; each issue is an audit event of the request,
\`certificate.issued\`. \`certificate\` says what was done, and follows from \`events\`, the exact events of the request; each
has a proof that it is in the log whose signed \`checkpoint\` stands beside it. \`lethe verify\` checks all of it offline, with
the log's verifier key alone.`,
  params: requestPath,
  answers: {
    200: {
      description: 'The certificate.',
      content: { 'application/json': z.looseObject({}).meta({ id: 'Certificate' }) },
      headers: {
        'Content-Disposition': z
          .string()
          .regex(/^inline; filename="er_[0-9a-f]{32}-certificate\.json"$/)
          .meta({ description: 'A name for the file.' }),
      },
    },
  },
  problems: ['CERTIFICATE_NOT_READY', 'CERTIFICATE_REFUSED'],
  handle: async ({ deps, params, apiKeyId, found }) => {
    const body = found(await issueCertificate(deps, { requestId: params.id, apiKeyId }));
    const headers = { 'Content-Disposition': `inline; filename="${params.id}-certificate.json"` };
    return { status: 200, headers, body: { ...body } };
  },
});
