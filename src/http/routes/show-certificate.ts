import { z } from 'zod';
import { issueCertificate, printCertificate } from '../../app/issue-certificate.ts';
import { certificateQuerySchema } from '../query-schemas.ts';
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
the log's verifier key alone. As PDF (PDF/A-2b) it says the same on pages, with the SHA-256 of \`certificate\` in its canonical
form (RFC 8785) as fingerprint and QR code; only the JSON is signed.`,
  params: requestPath,
  query: certificateQuerySchema,
  answers: {
    200: {
      description: 'The certificate.',
      content: {
        'application/json': z.looseObject({}).meta({ id: 'Certificate' }),
        'application/pdf': z
          .custom<Uint8Array>((value) => value instanceof Uint8Array)
          .meta({ override: { type: 'string', format: 'binary' } }),
      },
      headers: {
        'Content-Disposition': z
          .string()
          .regex(/^inline; filename="er_[0-9a-f]{32}-certificate\.(json|pdf)"$/)
          .meta({ description: 'A name for the file.' }),
      },
    },
  },
  problems: ['CERTIFICATE_NOT_READY', 'CERTIFICATE_REFUSED'],
  handle: async ({ deps, params, query, apiKeyId, found, preferred }) => {
    const of = { requestId: params.id, apiKeyId };
    const mediaType =
      query.format === undefined
        ? preferred(['application/json', 'application/pdf'])
        : (`application/${query.format}` as const);
    return mediaType === 'application/pdf'
      ? { ...headOf(params.id, 'pdf'), mediaType, body: found(await printCertificate(deps, of)) }
      : { ...headOf(params.id, 'json'), mediaType, body: { ...found(await issueCertificate(deps, of)) } };
  },
});

function headOf(id: string, extension: string) {
  const headers = { 'Content-Disposition': `inline; filename="${id}-certificate.${extension}"` };
  return { status: 200, headers } as const;
}
