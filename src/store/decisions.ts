import { z } from 'zod';
import type { Approval, KeptDecision, NewDecision } from '../app/ports/life.ts';
import { DECISION_KINDS } from '../domain/policy.ts';
import type { Queryable } from './connection.ts';

export async function insertDecision(db: Queryable, decision: NewDecision): Promise<void> {
  await db.query(
    `INSERT INTO decisions (request_id, kind, ground, text_sealed, decided_by, decided_at)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [
      decision.requestId,
      decision.kind,
      decision.ground,
      decision.textSealed,
      decision.decidedBy,
      decision.decidedAt,
    ],
  );
}

/** False when this key has approved already. The database refuses the submitter. */
export async function insertApproval(db: Queryable, approval: Approval): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO approvals (request_id, approved_by, submitted_by, approved_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (request_id, approved_by) DO NOTHING`,
    [approval.requestId, approval.approvedBy, approval.submittedBy, approval.approvedAt],
  );
  return rowCount === 1;
}

const kept = z.array(
  z
    .object({
      request_id: z.string(),
      kind: z.enum(DECISION_KINDS),
      ground: z.string().nullable(),
      text_sealed: z.instanceof(Buffer).nullable(),
      decided_by: z.string(),
      decided_at: z.date(),
    })
    .transform((from): KeptDecision => ({
      requestId: from.request_id,
      kind: from.kind,
      ground: from.ground,
      textSealed: from.text_sealed,
      decidedBy: from.decided_by,
      decidedAt: from.decided_at,
    })),
);

/** In the order they were taken. */
export async function listDecisions(db: Queryable, requestId: string): Promise<readonly KeptDecision[]> {
  const { rows } = await db.query(
    `SELECT request_id, kind, ground, text_sealed, decided_by, decided_at FROM decisions WHERE request_id = $1 ORDER BY id`,
    [requestId],
  );
  return kept.parse(rows);
}
