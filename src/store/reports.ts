import type pg from 'pg';
import type { ReportStore } from '../app/ports/reports.ts';
import { available } from './connection.ts';
import { countByMonth } from './month-counts.ts';
import { readRegister } from './register.ts';

/**
 * Reports from Postgres. On a pool of their own: whoever reads a register slowly holds a connection for as long, and
 * may take none from the rest of the service.
 */
export function createReportStore(pool: pg.Pool): ReportStore {
  return {
    readRegister: (filter) => readRegister(pool, filter),
    countByMonth: (filter) => available(countByMonth(pool, filter)),
  };
}
