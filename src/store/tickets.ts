import { z } from 'zod';
import type { IntakeTransaction, KnownTicket, TicketClaim, TicketOfRequest } from '../app/ports/intake.ts';
import type { Queryable } from './connection.ts';

/** Where another transaction takes the same ticket, the insert waits until that one has ended. */
export async function claimTicket(db: Queryable, claim: TicketClaim): Promise<KnownTicket | undefined> {
  const { rowCount } = await db.query(
    `INSERT INTO tickets (source, reference, request_id, marks, last_body) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (source, reference) DO NOTHING`,
    [claim.source, claim.reference, claim.requestId, JSON.stringify(claim.marks), claim.body],
  );
  // A statement of its own: the first does not see what it waited for.
  return rowCount === 1 ? undefined : findKnownTicket(db, claim.source, claim.reference);
}

const known = z.array(
  z
    .object({
      request_id: z.string(),
      marks: z.record(z.string(), z.string()),
      last_body: z.instanceof(Buffer),
    })
    .transform((from): KnownTicket => ({
      requestId: from.request_id,
      marks: from.marks,
      lastBody: from.last_body,
    })),
);

export async function findKnownTicket(
  db: Queryable,
  source: string,
  reference: string,
): Promise<KnownTicket | undefined> {
  const { rows } = await db.query(
    'SELECT request_id, marks, last_body FROM tickets WHERE source = $1 AND reference = $2',
    [source, reference],
  );
  return known.parse(rows)[0];
}

export async function noteTicketChange(
  db: Queryable,
  ticket: Parameters<IntakeTransaction['noteTicketChange']>[0],
): Promise<void> {
  await db.query(
    `UPDATE tickets SET last_body = $3, changed = $4, changed_at = now() WHERE source = $1 AND reference = $2`,
    [ticket.source, ticket.reference, ticket.body, ticket.changed],
  );
}

const ofRequests = z.array(
  z
    .object({
      request_id: z.string(),
      source: z.string(),
      reference: z.string(),
      changed_at: z.date().nullable(),
      changed: z.array(z.string()),
    })
    .transform((from): TicketOfRequest => ({
      requestId: from.request_id,
      source: from.source,
      reference: from.reference,
      changedAt: from.changed_at,
      changed: from.changed,
    })),
);

/** The tickets of these requests, by the requests' ids. */
export async function listTickets(
  db: Queryable,
  requestIds: readonly string[],
): Promise<ReadonlyMap<string, TicketOfRequest>> {
  const { rows } = await db.query(
    'SELECT request_id, source, reference, changed_at, changed FROM tickets WHERE request_id = ANY ($1)',
    [requestIds],
  );
  return new Map(ofRequests.parse(rows).map((ticket) => [ticket.requestId, ticket]));
}
