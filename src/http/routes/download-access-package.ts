import { z } from 'zod';
import { beginDownload, lookForPackage } from '../../app/download-package.ts';
import { requestPath } from '../request-path.ts';
import { keyedRoute } from '../route.ts';
import { zipped } from '../zip.ts';

const disposition = z
  .string()
  .regex(/^attachment; filename="er_[0-9a-f]{32}\.zip"$/)
  .meta({ description: 'A name for the file.' });

/** Hands an access package out, once: its data is deleted as the answer ends. */
export const downloadAccessPackage = keyedRoute({
  method: 'get',
  path: '/v1/erasure-requests/:id/access-package',
  scope: 'access:read',
  operationId: 'downloadAccessPackage',
  tag: 'erasure requests',
  summary: 'Download the access package of a request, once',
  description: `A ZIP archive of JSON: \`manifest.json\`, and for each user in a project a folder with the user, the
sessions and their events. It can be had once: when all of it has been sent, its data is deleted, and the answer ends only
then. An answer without its end is not whole and may be asked for again until the package expires. Each try is an audit
event of the request.`,
  params: requestPath,
  answers: {
    200: {
      description: 'The archive.',
      content: { 'application/zip': z.string().meta({ format: 'binary' }) },
      headers: { 'Content-Disposition': disposition },
    },
  },
  problems: ['PACKAGE_NOT_FOUND', 'PACKAGE_NOT_READY', 'PACKAGE_IN_USE', 'PACKAGE_GONE'],
  handle: async ({ deps, params, apiKeyId, found }) => {
    found(await lookForPackage(deps, params.id));
    return {
      status: 200,
      headers: { 'Content-Disposition': `attachment; filename="${params.id}.zip"` },
      stream: async () => {
        const download = await beginDownload(deps, { requestId: params.id, apiKeyId });
        const { files, readyAt, sent, broken } = download;
        return { chunks: zipped(files, readyAt), sent, broken };
      },
    };
  },
});
