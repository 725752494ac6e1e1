import { LetheError } from '../domain/errors.ts';

/** Every problem that the API answers with: its status and title. docs/errors.md says what to do about each. */
export const PROBLEMS = {
  BODY_MALFORMED: { status: 400, title: 'The body is not JSON' },
  IMPORT_MALFORMED: { status: 400, title: 'The file cannot be read' },
  IMPORT_INTERRUPTED: { status: 400, title: 'The upload broke off' },
  IDEMPOTENCY_KEY_INVALID: { status: 400, title: 'The Idempotency-Key is not usable' },
  API_KEY_MISSING: { status: 401, title: 'An API key is needed' },
  API_KEY_REFUSED: { status: 401, title: 'The API key is not accepted' },
  WEBHOOK_REFUSED: { status: 401, title: 'The delivery is not accepted' },
  SCOPE_MISSING: { status: 403, title: 'The API key may not do this' },
  SCOPE_NOT_HELD: { status: 403, title: 'The API key cannot give this scope' },
  ROUTE_NOT_FOUND: { status: 404, title: 'There is nothing here' },
  REQUEST_NOT_FOUND: { status: 404, title: 'There is no such erasure request' },
  PACKAGE_NOT_FOUND: { status: 404, title: 'There is no access package' },
  CONNECTION_NOT_FOUND: { status: 404, title: 'There is no such connection' },
  HOLD_NOT_FOUND: { status: 404, title: 'There is no such standing hold' },
  IMPORT_NOT_FOUND: { status: 404, title: 'There is no such import' },
  WEBHOOK_SOURCE_NOT_FOUND: { status: 404, title: 'There is no such source' },
  DELIVERY_NOT_FOUND: { status: 404, title: 'There is no such delivery' },
  CALLBACK_NOT_FOUND: { status: 404, title: 'There is no such callback' },
  CALLBACK_DELIVERY_NOT_FOUND: { status: 404, title: 'There is no such delivery' },
  API_KEY_NOT_FOUND: { status: 404, title: 'There is no such API key' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'This method is not offered here' },
  REQUEST_CLOSED: { status: 409, title: 'The erasure request is closed' },
  REQUEST_STATE_FORBIDS: { status: 409, title: 'The erasure request is in another state' },
  APPROVER_IS_SUBMITTER: { status: 409, title: 'Who submitted cannot approve' },
  EXTENSION_REFUSED: { status: 409, title: 'The period cannot be extended' },
  NOTHING_TO_RETRY: { status: 409, title: 'There is nothing to try again' },
  TASKS_UNDER_WAY: { status: 409, title: 'Tasks are still under way' },
  NOTHING_TO_HOLD: { status: 409, title: 'There is nothing to hold' },
  PACKAGE_NOT_READY: { status: 409, title: 'The access package is not ready' },
  PACKAGE_IN_USE: { status: 409, title: 'The access package is being downloaded' },
  CERTIFICATE_NOT_READY: { status: 409, title: 'There is no certificate yet' },
  CERTIFICATE_REFUSED: { status: 409, title: 'There can be no certificate' },
  HOLD_STANDS: { status: 409, title: 'A standing hold keeps the request' },
  LAST_ADMIN_KEY: { status: 409, title: 'This is the last admin key' },
  API_KEY_ENDED: { status: 409, title: 'The API key has ended' },
  CALLBACKS_FULL: { status: 409, title: 'There are too many callbacks' },
  CALLBACK_NOT_ACTIVE: { status: 409, title: 'The callback is not active' },
  IMPORT_TAKEN_OVER: { status: 409, title: 'Another upload goes on with the import' },
  PACKAGE_GONE: { status: 410, title: 'The access package is kept no longer' },
  SUBJECT_GONE: { status: 410, title: 'The identifier is kept no longer' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  IMPORT_TOO_LARGE: { status: 413, title: 'The file is too large' },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, title: 'The body is not of a supported media type' },
  SUBMISSION_INVALID: { status: 422, title: 'The submission cannot be accepted' },
  COMMAND_INVALID: { status: 422, title: 'The command cannot be accepted' },
  QUERY_INVALID: { status: 422, title: 'The query cannot be accepted' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The Idempotency-Key was used for another body' },
  RATE_LIMITED: { status: 429, title: 'Too many calls' },
  INTERNAL: { status: 500, title: 'Lethe failed' },
  OPENREPLAY_UNAVAILABLE: { status: 503, title: 'OpenReplay does not give an answer' },
  STORE_UNAVAILABLE: { status: 503, title: 'The database does not answer' },
} as const;
export type ProblemCode = keyof typeof PROBLEMS;

/** One thing that is wrong: where (a JSON Pointer into the body, or a query parameter), and what was expected. */
export type FieldError =
  | { readonly pointer: string; readonly detail: string }
  | { readonly parameter: string; readonly detail: string };

/** A failure as the caller sees it. Its texts name fields and rules, never a value that came in. */
export class HttpProblem extends LetheError {
  readonly problem: ProblemCode;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;

  /** `message` becomes the problem's `detail`. */
  constructor(
    code: ProblemCode,
    message: string,
    extra: { errors?: readonly FieldError[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(code, message);
    this.problem = code;
    this.errors = extra.errors ?? [];
    this.headers = extra.headers ?? {};
  }
}
