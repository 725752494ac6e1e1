import type { Route } from './route.ts';
import { cancelErasureRequest } from './routes/cancel-erasure-request.ts';
import { createKey } from './routes/create-api-key.ts';
import { listKeyEvents } from './routes/list-admin-events.ts';
import { listKeys } from './routes/list-api-keys.ts';
import { listErasureRequests } from './routes/list-erasure-requests.ts';
import { listRequestEvents } from './routes/list-request-events.ts';
import { revokeKey } from './routes/revoke-api-key.ts';
import { rotateKey } from './routes/rotate-api-key.ts';
import { showDocs } from './routes/show-docs.ts';
import { showDocsFile } from './routes/show-docs-file.ts';
import { showErasureRequest } from './routes/show-erasure-request.ts';
import { showHealth } from './routes/show-health.ts';
import { showOpenApiDocument } from './routes/show-openapi-document.ts';
import { showReadiness } from './routes/show-readiness.ts';
import { showRequestSubject } from './routes/show-request-subject.ts';
import { submitErasureRequest } from './routes/submit-erasure-request.ts';

/** Every route of the API, in the order of the document. */
export const ROUTES: readonly Route[] = [
  submitErasureRequest,
  listErasureRequests,
  showErasureRequest,
  listRequestEvents,
  cancelErasureRequest,
  showRequestSubject,
  listKeys,
  createKey,
  revokeKey,
  rotateKey,
  listKeyEvents,
  showOpenApiDocument,
  showDocs,
  showDocsFile,
  showHealth,
  showReadiness,
];
