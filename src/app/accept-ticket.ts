import type { MappedTicket, MappingProblem, TicketField, TicketRules } from '../domain/ticket.ts';
import {
  checkSubmission,
  SubmissionInvalidError,
  type Accepted,
  type Connections,
  type FieldProblem,
} from './check-submission.ts';
import type { TicketSource } from './ports/intake.ts';

/**
 * What a ticket asks for, or why that cannot be accepted, in terms of the delivery that it was read from.
 *
 * @param told `at`: when its delivery came, for a ticket that does not say when it was received
 */
export function acceptTicket(
  deps: Connections,
  source: Pick<TicketSource, 'rules' | 'connection' | 'regulation'>,
  told: { readonly ticket: MappedTicket; readonly at: Date },
): Accepted | { readonly problems: readonly MappingProblem[] } {
  const { subject, type, reference, requester, receivedAt = told.at, projectKeys } = told.ticket;
  try {
    return checkSubmission(deps, {
      ...{ subject, type, reference, receivedAt, projectKeys },
      connection: source.connection,
      regulation: source.regulation,
      // Personal data, so it goes where people's words go.
      note: requester === undefined ? undefined : `Requester in the ticketing system: ${requester}`,
    });
  } catch (error) {
    if (error instanceof SubmissionInvalidError)
      return { problems: mappingProblems(source.rules, error.problems) };
    throw error;
  }
}

const FIELDS: readonly (readonly [pointer: string, field: TicketField])[] = [
  ['/subject/email', 'email'],
  ['/subject', 'userId'],
  ['/projectKeys', 'projectKeys'],
  ['/receivedAt', 'receivedAt'],
];

/** What is wrong with a submission, by what it was read from. */
export function mappingProblems(
  rules: TicketRules,
  problems: readonly FieldProblem[],
): readonly MappingProblem[] {
  return problems.map(({ pointer, expected }) => {
    const field = FIELDS.find(([start]) => pointer.startsWith(start))?.[1] ?? null;
    const pointers = field === null ? [] : rules[field];
    return {
      field,
      pointers: typeof pointers === 'object' && 'length' in pointers ? pointers : [],
      expected: field === null ? `${pointer.slice(1)}: ${expected}` : expected,
    };
  });
}
