import { z } from 'zod';
import type { MonthCount, ReportFilter } from '../app/ports/reports.ts';
import { REFUSAL_GROUNDS } from '../domain/policy.ts';
import { REGULATIONS } from '../domain/regulation.ts';
import type { Queryable } from './connection.ts';
import { COMPLETED_ON, RECEIVED_IN_PERIOD, RECEIVED_ON, TODAY, valuesOf } from './report-period.ts';

const OPEN = "state NOT IN ('completed', 'refused', 'cancelled')";

const SQL = `
  WITH request AS (
    SELECT id, state, regulation, to_char(${RECEIVED_ON}, 'YYYY-MM') AS month, ${COMPLETED_ON} AS completed_on,
      ${TODAY} AS today, ${COMPLETED_ON} - ${RECEIVED_ON} AS days,
      CASE WHEN extended_at IS NULL THEN due_on ELSE extended_due_on END AS due
    FROM erasure_requests WHERE ${RECEIVED_IN_PERIOD}
  ), refusal AS (
    SELECT month, regulation, jsonb_agg(jsonb_build_object('ground', ground, 'count', count) ORDER BY ground) AS refused
    FROM (
      SELECT month, regulation, ground, count(*) FROM request JOIN decisions ON request_id = request.id
      WHERE state = 'refused' AND kind = 'refused' GROUP BY month, regulation, ground
    ) AS by_ground GROUP BY month, regulation
  ), counted AS (
    SELECT month, regulation, count(*) AS received,
      count(*) FILTER (WHERE ${OPEN}) AS open,
      count(*) FILTER (WHERE state = 'completed') AS completed,
      count(*) FILTER (WHERE completed_on <= due) AS completed_in_time,
      count(*) FILTER (WHERE completed_on > due OR (${OPEN} AND today > due)) AS late,
      count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
      round(percentile_cont(0.5) WITHIN GROUP (ORDER BY days)::numeric, 2) AS median_days,
      round(percentile_cont(0.95) WITHIN GROUP (ORDER BY days)::numeric, 2) AS p95_days
    FROM request GROUP BY month, regulation
  )
  SELECT counted.*, COALESCE(refused, '[]') AS refused FROM counted LEFT JOIN refusal USING (month, regulation)
  ORDER BY month, regulation`;

const count = z.coerce.number();
const days = z.coerce.number().nullable();

const rows = z.array(
  z
    .object({
      month: z.string(),
      regulation: z.enum(REGULATIONS),
      received: count,
      open: count,
      completed: count,
      completed_in_time: count,
      late: count,
      cancelled: count,
      median_days: days,
      p95_days: days,
      refused: z.array(z.object({ ground: z.enum(REFUSAL_GROUNDS), count: z.number() })),
    })
    .transform((from): MonthCount => ({
      month: from.month,
      regulation: from.regulation,
      received: from.received,
      open: from.open,
      completed: from.completed,
      completedInTime: from.completed_in_time,
      late: from.late,
      refused: from.refused,
      cancelled: from.cancelled,
      medianDays: from.median_days,
      p95Days: from.p95_days,
    })),
);

/** Requests by the month in which they came in, and regulation. */
export async function countByMonth(db: Queryable, filter: ReportFilter): Promise<readonly MonthCount[]> {
  return rows.parse((await db.query(SQL, [...valuesOf(filter)])).rows);
}
