import { isEmailAddress } from '../domain/email.ts';
import { LetheError } from '../domain/errors.ts';
import { isProjectKey, unroutableReason, type UnroutableReason } from '../domain/identifiers.ts';
import type { Regulation } from '../domain/regulation.ts';
import type { RequestType, Subject } from '../domain/request.ts';
import type { Connection } from './ports.ts';

/** A request as it came in, already of the right shape. */
export interface Submission {
  /** Left out, `erasure`. */
  readonly type?: RequestType | undefined;
  readonly subject: { readonly userId?: string | undefined; readonly email?: string | undefined };
  readonly projectKeys?: readonly string[] | undefined;
  /** May be left out where there is just one. */
  readonly connection?: string | undefined;
  readonly regulation?: Regulation | undefined;
  readonly receivedAt?: Date | undefined;
  readonly reference?: string | undefined;
  readonly note?: string | undefined;
  /** What the submitter expects discovery to find; otherwise a person decides. */
  readonly expect?: { readonly tasks: number } | undefined;
}

/** A field of the submission that cannot be accepted. `pointer` is a JSON Pointer into the body. */
export interface FieldProblem {
  readonly pointer: string;
  readonly expected: string;
}

/** The submission has the right shape but cannot be accepted; nothing was stored. Code SUBMISSION_INVALID. */
export class SubmissionInvalidError extends LetheError {
  readonly problems: readonly FieldProblem[];
  constructor(problems: readonly FieldProblem[]) {
    super(
      'SUBMISSION_INVALID',
      problems.map((problem) => `${problem.pointer}: ${problem.expected}`).join('; '),
    );
    this.problems = problems;
  }
}

/** What has to be known of the configured connections. */
export interface Connections {
  readonly connections: ReadonlyMap<string, Pick<Connection, 'name' | 'projects'>>;
}

/** A submission that can be stored. */
export interface Accepted {
  readonly subject: Subject;
  readonly unroutable: UnroutableReason | undefined;
  /** Null for every connection. */
  readonly connection: string | null;
  readonly projectKeys: readonly string[] | null;
  readonly submission: Submission;
}

/**
 * Judges what needs the configuration.
 *
 * @throws SubmissionInvalidError naming every field
 */
export function checkSubmission(deps: Connections, submission: Submission): Accepted {
  const problems: FieldProblem[] = [];
  const subject = checkSubject(submission, problems);
  const connection = checkConnection(deps, submission, problems);
  const projectKeys = checkProjects(deps, { submission, connection }, problems);
  if (problems.length > 0 || connection === undefined) throw new SubmissionInvalidError(problems);
  const unroutable = subject.userId === undefined ? undefined : unroutableReason(subject.userId);
  return { subject, unroutable, connection, projectKeys, submission };
}

function checkSubject({ subject }: Submission, problems: FieldProblem[]): Subject {
  const { userId, email } = subject;
  if (userId === undefined && email === undefined) {
    const expected = 'userId (the id set with tracker.setUserID), email, or both';
    problems.push({ pointer: '/subject', expected });
  }
  if (email !== undefined && !isEmailAddress(email)) {
    problems.push({ pointer: '/subject/email', expected: 'an e-mail address' });
  }
  return subjectOf({ subject });
}

/** The subject without the fields that were left out. */
export function subjectOf({ subject: { userId, email } }: Pick<Submission, 'subject'>): Subject {
  return { ...(userId !== undefined && { userId }), ...(email !== undefined && { email }) };
}

/** A user id belongs to one tenant; under another the same id is another person. An address is searched for in all. */
function checkConnection(
  deps: Connections,
  submission: Submission,
  problems: FieldProblem[],
): string | null | undefined {
  const names = [...deps.connections.keys()];
  const name = submission.connection ?? (names.length === 1 ? names[0] : undefined);
  if (name !== undefined && deps.connections.has(name)) return name;
  if (submission.connection === undefined && submission.subject.userId === undefined) return null;
  problems.push({
    pointer: '/connection',
    expected: `one of the configured connections: ${names.join(', ')}`,
  });
  return undefined;
}

function checkProjects(
  deps: Connections,
  from: { submission: Submission; connection: string | null | undefined },
  problems: FieldProblem[],
): readonly string[] | null {
  const keys = from.submission.projectKeys;
  if (keys === undefined) return null;
  const allowed = allowedKeys(deps, from.connection);
  keys.forEach((key, index) => {
    const pointer = `/projectKeys/${index}`;
    if (!isProjectKey(key)) problems.push({ pointer, expected: 'a project key: 1 to 64 of A-Z a-z 0-9 _ -' });
    else if (allowed !== null && !allowed.includes(key)) {
      problems.push({ pointer, expected: 'a project that the configuration allows for this connection' });
    }
  });
  return [...new Set(keys)];
}

/** The keys that the configuration allows; null for any. */
function allowedKeys(
  { connections }: Connections,
  name: string | null | undefined,
): readonly string[] | null {
  const lists = [...connections.values()]
    .filter((connection) => name == null || connection.name === name)
    .map(({ projects }) => projects);
  return lists.length === 0 || lists.includes(null) ? null : lists.flatMap((keys) => keys ?? []);
}
