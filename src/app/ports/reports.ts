import type { Day } from '../../domain/day.ts';
import type { RefusalGround } from '../../domain/policy.ts';
import type { Regulation } from '../../domain/regulation.ts';
import type { ErasureRequest } from '../../domain/request.ts';
import type { Task } from '../../domain/task.ts';

/** What the use cases need for reports. Part of ports.ts. */

/** Requests that came in from one day to another, both included, each by the days of its regulation's time zone. */
export interface ReportFilter {
  readonly from: Day;
  readonly to: Day;
  readonly timeZones: Readonly<Record<Regulation, string>>;
}

/** All that the register says of a request. */
export interface RegisterEntry {
  readonly request: Pick<
    ErasureRequest,
    | 'id'
    | 'type'
    | 'state'
    | 'outcome'
    | 'regulation'
    | 'channel'
    | 'reference'
    | 'receivedAt'
    | 'identityVerifiedAt'
    | 'extendedAt'
    | 'completedAt'
  >;
  readonly subject: { readonly ref: string; readonly keyVersion: number };
  readonly dueOn: Day | null;
  /** Known from the beginning; it counts once the period was extended. */
  readonly extendedDueOn: Day | null;
  readonly identityMethod: string | null;
  readonly refusalGround: RefusalGround | null;
  /** Ids of API keys. */
  readonly approvers: readonly string[];
  /** RFC 3339: each time the request was put on hold or taken off, in their order. */
  readonly holds: readonly { readonly at: string; readonly begins: boolean }[];
  readonly tasks: readonly RegisterTask[];
  /** From the day of receipt to that of completion; 0 on the same day. */
  readonly daysToComplete: number | null;
  /** Of the event that closed the request, else of its last one that is sealed. */
  readonly leafIndex: number | null;
  /** Of the first checkpoint that has that leaf. */
  readonly checkpointSize: number | null;
}

export type RegisterTask = Pick<
  Task,
  'connection' | 'projectKey' | 'state' | 'attention' | 'rounds' | 'verification'
>;

/** The requests of one regulation that came in in one month. */
export interface MonthCount {
  /** `YYYY-MM` */
  readonly month: string;
  readonly regulation: Regulation;
  readonly received: number;
  readonly open: number;
  readonly completed: number;
  readonly completedInTime: number;
  /** Completed after the due date, or open after it. */
  readonly late: number;
  readonly refused: readonly { readonly ground: RefusalGround; readonly count: number }[];
  readonly cancelled: number;
  /** Null where none was completed. */
  readonly medianDays: number | null;
  readonly p95Days: number | null;
}

export interface ReportStore {
  /**
   * Pages of entries by time of receipt, all of one moment, read as they are taken: an iteration that ends, however it
   * does, gives its connection back.
   */
  readRegister(filter: ReportFilter): AsyncGenerator<readonly RegisterEntry[], void, undefined>;
  /** By month, then regulation; none where nothing came in. */
  countByMonth(filter: ReportFilter): Promise<readonly MonthCount[]>;
}
