import type { MappedTicket } from '../domain/ticket.ts';
import type { Deps } from './ports.ts';
import type { TicketMarks } from './ports/intake.ts';

/** HMAC of each thing that a request is made of: so that a later change can be named without keeping what it was. */
export function marksOf(
  { vault }: Pick<Deps, 'vault'>,
  { subject, projectKeys, type }: MappedTicket,
): TicketMarks {
  const { userId = null, email = null } = subject;
  const mark = (name: string, value: unknown) =>
    Buffer.from(vault.fingerprint(`ticket ${name}\0${JSON.stringify(value)}`)).toString('hex');
  return {
    subject: mark('subject', [userId, email]),
    projectKeys: mark('projectKeys', projectKeys?.toSorted() ?? null),
    type: mark('type', type),
  };
}

/** Names of what is another in the second, in the order of the first. */
export function changedMarks(before: TicketMarks, after: TicketMarks): readonly string[] {
  return Object.keys(before).filter((name) => before[name] !== after[name]);
}

/** HMAC of a body: whether it says something else than the last. */
export function markOfBody({ vault }: Pick<Deps, 'vault'>, text: string): Uint8Array {
  return vault.fingerprint(`ticket body\0${text}`);
}
