import { z } from 'zod';
import { CallbackTargetError } from '../app/callbacks.ts';
import { ExpiryPassedError, ScopeNotHeldError } from '../app/create-api-key.ts';
import { SubmissionInvalidError } from '../app/check-submission.ts';
import { ImportStoppedError } from '../app/import-source.ts';
import { OpenReplayUnavailableError } from '../app/openreplay-unavailable.ts';
import { HoldSubjectInvalidError } from '../app/standing-holds.ts';
import { LetheError } from '../domain/errors.ts';
import { invalidFields } from './field-errors.ts';
import { HttpProblem, type FieldError, type ProblemCode } from './problem.ts';

const RETRY_AFTER_SECONDS = 5;

/** The problem to answer with for whatever was thrown. What is not foreseen becomes INTERNAL and says nothing more. */
export function problemOf(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof LetheError) return problemOfUseCase(error);
  return problemOfLibrary(error);
}

function problemOfUseCase(error: LetheError): HttpProblem {
  if (error instanceof SubmissionInvalidError) {
    const errors = error.problems.map(({ pointer, expected }) => ({
      pointer,
      detail: `expected ${expected}`,
    }));
    return invalidFields('SUBMISSION_INVALID', errors);
  }
  if (error instanceof ImportStoppedError) return problemOfStop(error);
  const wrong = wrongFieldOf(error);
  if (wrong !== undefined) return invalidFields('COMMAND_INVALID', [wrong]);
  if (error instanceof OpenReplayUnavailableError) {
    const seconds = Math.ceil((error.retryAfterMs ?? 0) / 1000);
    return new HttpProblem('OPENREPLAY_UNAVAILABLE', error.message, {
      headers: { 'Retry-After': String(Math.max(seconds, RETRY_AFTER_SECONDS)) },
    });
  }
  if (error instanceof ScopeNotHeldError) {
    const challenge = `Bearer realm="lethe", error="insufficient_scope", scope="${error.scope}"`;
    return new HttpProblem('SCOPE_NOT_HELD', error.message, { headers: { 'WWW-Authenticate': challenge } });
  }
  const said = SAID_AS_IT_IS.find((code) => code === error.code);
  if (said !== undefined) return new HttpProblem(said, error.message);
  if (error.code === 'STORE_UNAVAILABLE') {
    const detail =
      'The database does not answer right now. Try again; with an Idempotency-Key nothing is taken in twice.';
    return new HttpProblem('STORE_UNAVAILABLE', detail, {
      headers: { 'Retry-After': String(RETRY_AFTER_SECONDS) },
    });
  }
  return internal();
}

/** The field of a command of which only the use case could say that it is wrong. */
function wrongFieldOf(error: LetheError): FieldError | undefined {
  if (error instanceof HoldSubjectInvalidError || error instanceof CallbackTargetError)
    return { pointer: error.pointer, detail: `expected ${error.expected}` };
  if (error instanceof ExpiryPassedError) return { pointer: '/expiresAt', detail: 'expected a time to come' };
  return undefined;
}

/** Errors of use cases whose text is written for the caller. */
const SAID_AS_IT_IS: readonly ProblemCode[] = [
  'IDEMPOTENCY_KEY_REUSED',
  'REQUEST_CLOSED',
  'REQUEST_STATE_FORBIDS',
  'APPROVER_IS_SUBMITTER',
  'EXTENSION_REFUSED',
  'NOTHING_TO_RETRY',
  'TASKS_UNDER_WAY',
  'HOLD_STANDS',
  'NOTHING_TO_HOLD',
  'PACKAGE_NOT_FOUND',
  'PACKAGE_NOT_READY',
  'PACKAGE_IN_USE',
  'PACKAGE_GONE',
  'CERTIFICATE_NOT_READY',
  'CERTIFICATE_REFUSED',
  'IMPORT_TAKEN_OVER',
  'SUBJECT_GONE',
  'API_KEY_NOT_FOUND',
  'API_KEY_ENDED',
  'LAST_ADMIN_KEY',
  'CALLBACKS_FULL',
  'CALLBACK_NOT_ACTIVE',
];

function problemOfStop({ stop, message, importId }: ImportStoppedError): HttpProblem {
  const headers = importId === null ? {} : { Location: `/v1/imports/${importId}` };
  return new HttpProblem(stop, message, { headers });
}

/** What Express and its body parser throw. Their messages quote the body or the path, so none is passed on. */
function problemOfLibrary(error: unknown): HttpProblem {
  const { type = '', name } = libraryError.parse(error);
  const known = BODY_PROBLEMS.get(type);
  if (known !== undefined) return new HttpProblem(...known);
  // The router could not decode the path, so it names nothing of ours.
  if (name === 'URIError') return new HttpProblem('ROUTE_NOT_FOUND', 'The path is not well-formed.');
  return internal();
}

const TOO_LARGE = ['BODY_TOO_LARGE', 'The body may have at most 65536 bytes.'] as const;
const UNSUPPORTED = [
  'MEDIA_TYPE_UNSUPPORTED',
  'Expected a body in UTF-8, sent without compression.',
] as const;
const MALFORMED = ['BODY_MALFORMED', 'Expected one complete JSON value in UTF-8.'] as const;

/** By the names that the body parser gives its errors. */
const BODY_PROBLEMS = new Map<string, readonly [ProblemCode, string]>([
  ['entity.too.large', TOO_LARGE],
  ['charset.unsupported', UNSUPPORTED],
  ['encoding.unsupported', UNSUPPORTED],
  ['entity.parse.failed', MALFORMED],
  ['entity.verify.failed', MALFORMED],
  ['request.aborted', MALFORMED],
  ['request.size.invalid', MALFORMED],
]);

const libraryError = z
  .object({ type: z.string().optional().catch(undefined), name: z.string().optional().catch(undefined) })
  .catch({ type: undefined, name: undefined });

function internal(): HttpProblem {
  return new HttpProblem(
    'INTERNAL',
    'Something went wrong inside Lethe; its log says more under this request id.',
  );
}
