import type { Deps } from './ports.ts';
import type { RegisterEntry, ReportFilter } from './ports/reports.ts';
import { recordAdminEvent } from './record-admin-event.ts';
import { registerRowOf, type RegisterRow } from './register-row.ts';

/** What the register is made as. JSON lines are the authoritative form, the others are views of it. */
export const REGISTER_FORMATS = ['csv', 'jsonl'] as const;
export type RegisterFormat = (typeof REGISTER_FORMATS)[number];

export interface RegisterReading {
  readonly filter: ReportFilter;
  readonly format: RegisterFormat;
  readonly apiKeyId: string;
}

/** A register that is being read. */
export interface OpenRegister {
  readonly pages: AsyncIterable<readonly RegisterRow[]>;
  /** Ends the reading, wherever it is. Nothing else does, where not all pages are taken. */
  readonly close: () => Promise<void>;
}

/**
 * The register of the requests that came in within a period, in pages, all of one moment. Who reads it, and what, is an
 * admin event, stored before the first page is read.
 */
export async function readRegister(
  deps: Pick<Deps, 'store' | 'reports' | 'encodeEvent'>,
  { filter, format, apiKeyId }: RegisterReading,
): Promise<OpenRegister> {
  const { from, to } = filter;
  await deps.store.transaction((tx) =>
    recordAdminEvent(tx, deps, {
      type: 'report.read',
      actor: { kind: 'api_key', id: apiKeyId },
      data: { report: 'register', format, from, to },
    }),
  );
  const entries = deps.reports.readRegister(filter);
  // Not left to the first taking: a database that is away is a problem like any other only while nothing was answered.
  const first = await entries.next();
  return {
    pages: rowsOf(first, entries),
    close: async () => {
      await entries.return();
    },
  };
}

type Entries = AsyncGenerator<readonly RegisterEntry[], void, undefined>;

async function* rowsOf(
  first: Awaited<ReturnType<Entries['next']>>,
  rest: Entries,
): AsyncGenerator<readonly RegisterRow[], void, undefined> {
  if (first.done !== true) yield first.value.map(registerRowOf);
  for await (const page of rest) yield page.map(registerRowOf);
}
