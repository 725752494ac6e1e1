import type { Route } from './route.ts';
import { cancelErasureRequest } from './routes/cancel-erasure-request.ts';
import { downloadAccessPackage } from './routes/download-access-package.ts';
import { createKey } from './routes/create-api-key.ts';
import { listKeyEvents } from './routes/list-admin-events.ts';
import { listKeys } from './routes/list-api-keys.ts';
import { importSubmissions } from './routes/import-submissions.ts';
import { listRequestDeadlines } from './routes/list-deadlines.ts';
import { listErasureRequests } from './routes/list-erasure-requests.ts';
import { listRejectedRows } from './routes/list-import-errors.ts';
import { listAllImports } from './routes/list-imports.ts';
import { listRequestReplies } from './routes/list-replies.ts';
import { listRequestEvents } from './routes/list-request-events.ts';
import { revokeKey } from './routes/revoke-api-key.ts';
import { rotateKey } from './routes/rotate-api-key.ts';
import { showCertificate } from './routes/show-certificate.ts';
import { showDocs } from './routes/show-docs.ts';
import { showDocsFile } from './routes/show-docs-file.ts';
import { showErasureRequest } from './routes/show-erasure-request.ts';
import { showHealth } from './routes/show-health.ts';
import { showOneImport } from './routes/show-import.ts';
import { showOpenApiDocument } from './routes/show-openapi-document.ts';
import { showReadiness } from './routes/show-readiness.ts';
import { showRequestSubject } from './routes/show-request-subject.ts';
import { lookUpSubjectRoute } from './routes/look-up-subject.ts';
import { previewErasureRequest } from './routes/preview-erasure-request.ts';
import { readRequestRegister } from './routes/read-register.ts';
import { showSummary } from './routes/show-summary.ts';
import { listAllConnections } from './routes/list-connections.ts';
import { pauseOneConnection } from './routes/pause-connection.ts';
import { resumeOneConnection } from './routes/resume-connection.ts';
import { submitErasureRequest } from './routes/submit-erasure-request.ts';
import { approveErasureRequest } from './routes/approve-erasure-request.ts';
import { closeErasureRequest } from './routes/close-erasure-request.ts';
import { judgeWebhookDelivery } from './routes/judge-delivery.ts';
import { listWebhookDeliveries } from './routes/list-deliveries.ts';
import { listTicketSources } from './routes/list-ticket-sources.ts';
import { receiveWebhook } from './routes/receive-webhook.ts';
import { createStandingHold } from './routes/create-hold.ts';
import { extendErasureRequest } from './routes/extend-erasure-request.ts';
import { holdErasureRequest } from './routes/hold-erasure-request.ts';
import { listRequestDecisions } from './routes/list-decisions.ts';
import { listStandingHolds } from './routes/list-holds.ts';
import { refuseErasureRequest } from './routes/refuse-erasure-request.ts';
import { releaseErasureRequest } from './routes/release-erasure-request.ts';
import { releaseStandingHold } from './routes/release-hold.ts';
import { retryErasureRequest } from './routes/retry-erasure-request.ts';
import { verifySubjectIdentity } from './routes/verify-identity.ts';
import { createCallbackRoute } from './routes/create-callback.ts';
import { listAllCallbacks } from './routes/list-callbacks.ts';
import { showOneCallback } from './routes/show-callback.ts';
import { updateOneCallback } from './routes/update-callback.ts';
import { deleteOneCallback } from './routes/delete-callback.ts';
import { rotateOneCallbackSecret } from './routes/rotate-callback-secret.ts';
import { testOneCallback } from './routes/test-callback.ts';
import { listCallbackDeliveriesRoute } from './routes/list-callback-deliveries.ts';
import { redeliverRoute } from './routes/redeliver.ts';

/** Every route of the API, in the order of the document. */
export const ROUTES: readonly Route[] = [
  submitErasureRequest,
  previewErasureRequest,
  listErasureRequests,
  showErasureRequest,
  showCertificate,
  lookUpSubjectRoute,
  listRequestEvents,
  listRequestReplies,
  cancelErasureRequest,
  showRequestSubject,
  downloadAccessPackage,
  listRequestDecisions,
  importSubmissions,
  listAllImports,
  showOneImport,
  listRejectedRows,
  receiveWebhook,
  listTicketSources,
  listWebhookDeliveries,
  judgeWebhookDelivery,
  verifySubjectIdentity,
  approveErasureRequest,
  refuseErasureRequest,
  extendErasureRequest,
  retryErasureRequest,
  closeErasureRequest,
  holdErasureRequest,
  releaseErasureRequest,
  createStandingHold,
  listStandingHolds,
  releaseStandingHold,
  listRequestDeadlines,
  readRequestRegister,
  showSummary,
  listAllConnections,
  pauseOneConnection,
  resumeOneConnection,
  createCallbackRoute,
  listAllCallbacks,
  showOneCallback,
  updateOneCallback,
  deleteOneCallback,
  rotateOneCallbackSecret,
  testOneCallback,
  listCallbackDeliveriesRoute,
  redeliverRoute,
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
