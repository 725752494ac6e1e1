import { z } from 'zod';
import type { IntakeTransaction, KnownTicket, TicketClaim, TicketOfRequest } from '../app/ports/intake.ts';
import type { Queryable } from './connection.ts';

const claimed = z.array(z.object({ request_id: z.string() }));

/** In one order for everybody, so that two transactions that take the same tickets never wait for each other. */
export async function claimTickets(
  db: Queryable,
  claims: readonly TicketClaim[],
): Promise<ReadonlySet<string>> {
  if (claims.length === 0) return new Set();
  const { rows } = await db.query(
    `INSERT INTO tickets (source, reference, request_id, marks, last_body)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::bytea[])
       AS given (source, reference, request_id, marks, last_body)
     ORDER BY source, reference
     ON CONFLICT (source, reference) DO NOTHING RETURNING request_id`,
    [
      claims.map(({ source }) => source),
      claims.map(({ reference }) => reference),
      claims.map(({ requestId }) => requestId),
      claims.map(({ marks }) => JSON.stringify(marks)),
      claims.map(({ body }) => body),
    ],
  );
  return new Set(claimed.parse(rows).map(({ request_id: id }) => id));
}

const named = z.array(
  z
    .object({ source: z.string(), reference: z.string(), request_id: z.string() })
    .transform(({ request_id: requestId, ...rest }) => ({ ...rest, requestId })),
);

export async function listKnownTickets(
  db: Queryable,
  tickets: readonly Pick<TicketOfRequest, 'source' | 'reference'>[],
): Promise<readonly Pick<TicketOfRequest, 'source' | 'reference' | 'requestId'>[]> {
  if (tickets.length === 0) return [];
  const { rows } = await db.query(
    `SELECT source, reference, request_id
     FROM tickets JOIN unnest($1::text[], $2::text[]) AS given (source, reference) USING (source, reference)`,
    [tickets.map(({ source }) => source), tickets.map(({ reference }) => reference)],
  );
  return named.parse(rows);
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
