/**
 * The one base class of Lethe's errors. `code` is stable and documented in docs/errors.md (a test holds
 * both together); `cause` keeps what lies beneath. A message never holds an identifier of a data subject.
 */
export class LetheError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The request is there, but whom it is about is not known any more. Code SUBJECT_GONE. */
export class SubjectGoneError extends LetheError {
  constructor() {
    super('SUBJECT_GONE', 'The identifier of this request is kept no longer.');
  }
}
