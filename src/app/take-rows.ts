import type { RowProblem } from '../domain/imports.ts';
import { checkSubmission, SubmissionInvalidError, type Accepted } from './check-submission.ts';
import { ImportTakenOverError, type ImportRow } from './import-source.ts';
import { futureReceipt, planRequest, writePlans } from './plan-request.ts';
import type { Deps, Transaction } from './ports.ts';
import type { ImportLease, RowClaim, RowError } from './ports/imports.ts';

/** What is shown of one row's mistakes. */
const PROBLEMS_MAX = 10;

interface Candidate extends RowClaim {
  readonly accepted: Accepted;
}

/**
 * Takes rows of an import in, in one transaction: good ones become requests with their events and work, bad ones are
 * noted by line. A row that says what one before has said makes nothing.
 *
 * @throws ImportTakenOverError when another upload goes on with the import: nothing is written then
 */
export async function takeRows(deps: Deps, lease: ImportLease, rows: readonly ImportRow[]): Promise<void> {
  const judged = judge(deps, rows);
  const due = await deps.store.transaction(async (tx) => {
    const { errors, candidates } = inTime(judged, tx.now);
    const claims = [...new Map(candidates.toReversed().map((one) => [keyOf(one), one])).values()];
    const { taken, before } = await tx.claimRows(lease, claims);
    const work = await writeRequests(tx, deps, {
      lease,
      candidates: claims.filter(({ requestId }) => taken.has(requestId)),
    });
    await tx.insertRowErrors(lease.importId, errors);
    const accepted = taken.size + before;
    const repeated = candidates.length - accepted;
    const counts = { rows: rows.length, accepted, repeated, rejected: errors.length };
    if (!(await tx.countRows(lease, counts))) throw new ImportTakenOverError();
    return work;
  });
  if (due) deps.workIsDue();
}

function keyOf({ fingerprint }: RowClaim): string {
  return Buffer.from(fingerprint).toString('latin1');
}

interface Judged {
  readonly errors: readonly RowError[];
  readonly candidates: readonly Candidate[];
}

/** What can be said of rows without the database. */
function judge(deps: Deps, rows: readonly ImportRow[]): Judged {
  const errors: RowError[] = [];
  const candidates: Candidate[] = [];
  for (const row of rows) {
    const seen = 'problems' in row ? row.problems : acceptedOr(deps, row);
    if ('submission' in seen) {
      const { line } = row;
      const requestId = deps.newId('er');
      candidates.push({ line, accepted: seen, requestId, fingerprint: fingerprintOf(deps, seen) });
    } else errors.push({ line: row.line, problems: seen.slice(0, PROBLEMS_MAX) });
  }
  return { errors, candidates };
}

function acceptedOr(
  deps: Deps,
  { submission }: Extract<ImportRow, { submission: unknown }>,
): Accepted | readonly RowProblem[] {
  try {
    return checkSubmission(deps, submission);
  } catch (error) {
    if (error instanceof SubmissionInvalidError) return error.problems.map(problemOf);
    throw error;
  }
}

function problemOf({ pointer, expected }: { pointer: string; expected: string }): RowProblem {
  return { pointer, detail: `expected ${expected}` };
}

/** The rows that came in before the transaction's time. */
function inTime({ errors, candidates }: Judged, now: Date): Judged {
  const late = candidates.flatMap(({ line, accepted }): RowError[] => {
    const problems = futureReceipt(accepted, now).map(problemOf);
    return problems.length === 0 ? [] : [{ line, problems }];
  });
  if (late.length === 0) return { errors, candidates };
  const lines = new Set(late.map(({ line }) => line));
  return { errors: [...errors, ...late], candidates: candidates.filter(({ line }) => !lines.has(line)) };
}

/** What a row says, whatever format it is written in and whatever is left to a default. */
function fingerprintOf({ vault }: Deps, { submission, connection, projectKeys }: Accepted): Uint8Array {
  const { regulation = 'gdpr', type = 'erasure' } = submission;
  const said = { ...submission, regulation, type, connection, projectKeys };
  const entries = Object.entries(said).filter(([, value]) => value !== undefined);
  return vault.fingerprint(`import row\0${JSON.stringify(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))}`);
}

async function writeRequests(
  tx: Transaction,
  deps: Deps,
  of: { lease: ImportLease; candidates: readonly Candidate[] },
): Promise<boolean> {
  const { importId, apiKeyId } = of.lease;
  const known = of.candidates.map((one) => ({ ...one, refs: deps.vault.subjectRefs(one.accepted.subject) }));
  const standing = await tx.listStandingRefs(known.flatMap(({ refs }) => refs));
  const plans = await Promise.all(
    known.map(({ requestId, accepted, refs }) =>
      planRequest(deps, requestId, {
        ...{ accepted, refs, apiKeyId, importId, now: tx.now, channel: 'import' },
        standing: refs.some(({ value }) => standing.has(value)),
      }),
    ),
  );
  await writePlans(tx, deps, plans);
  return plans.some(({ work }) => work.length > 0);
}
