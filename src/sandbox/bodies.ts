import { z } from 'zod';
import type { Personality } from './options.ts';

const EARLIEST = 946_684_800_000; // 2000-01-01
const DEFAULT_LIMIT = 50;
export const MOST_PER_PAGE = 200;

const limit = z.int().min(1).max(MOST_PER_PAGE);
const page = z.int().min(1);
const paging = { limit: limit.default(DEFAULT_LIMIT), page: page.default(1) };
/** Go cannot tell a zero or a null from a field that was left out. */
const zeroIsAbsent = (value: unknown): unknown => (value === 0 || value === null ? undefined : value);
const realPaging = {
  limit: z.preprocess(zeroIsAbsent, paging.limit),
  page: z.preprocess(zeroIsAbsent, paging.page),
};
const filters = z.array(z.record(z.string(), z.unknown())).nullish();
const sortOrder = z.enum(['asc', 'desc']).nullish();
const sessionsWindow = { startTimestamp: z.int().min(EARLIEST), endTimestamp: z.int(), sortOrder, filters };
const eventsWindow = { startTimestamp: z.int(), endTimestamp: z.int(), sortOrder, filters };

interface Window {
  readonly startTimestamp: number;
  readonly endTimestamp: number;
}
const endsAfterStart = ({ startTimestamp, endTimestamp }: Window): boolean => endTimestamp > startTimestamp;
const ORDER = 'endTimestamp must be greater than startTimestamp';

const contractBodies = {
  sessions: z.object({ ...sessionsWindow, ...paging }).refine(endsAfterStart, ORDER),
  events: z.object({ ...eventsWindow, ...paging }).refine(endsAfterStart, ORDER),
  users: z.object({ query: z.string().default(''), filters, ...paging }),
};
const realBodies = {
  sessions: z.object({ ...sessionsWindow, ...realPaging }).refine(endsAfterStart, ORDER),
  // The one route that has no defaults for its page.
  events: z.object({ ...sessionsWindow, limit, page }).refine(endsAfterStart, ORDER),
  users: z.object({ query: z.string().max(100).default(''), filters, ...realPaging }),
};

/** Request bodies as this personality takes them; what is left out has its default. */
export function bodiesOf(personality: Personality): typeof contractBodies | typeof realBodies {
  return personality === 'contract' ? contractBodies : realBodies;
}

/** A live search: every field may be missing or wrong, and is then not looked at. Both known filter spellings. */
export const liveSearchBody = z.object({
  limit: limit.optional().catch(undefined),
  page: paging.page.catch(1),
  filters: filters.catch(undefined),
});

export const projectBody = z.object({
  name: z.string().min(1).max(200),
  platform: z.enum(['web', 'ios']).default('web'),
});

const valueFilter = z.object({
  name: z.string().optional(),
  type: z.string().optional(),
  operator: z.enum(['is', 'equals']).optional(),
  value: z.union([z.string().transform((value) => [value]), z.array(z.string())]),
});
/** The exact values that filters named `name` (or `$name`, in any case) ask for; `undefined` when none does. */
export function valuesAskedFor(
  asked: readonly Readonly<Record<string, unknown>>[] | null | undefined,
  names: readonly string[],
): ReadonlySet<string> | undefined {
  const values = (asked ?? []).flatMap((filter) => {
    const known = valueFilter.safeParse(filter);
    const name = known.data?.name ?? known.data?.type ?? '';
    return known.success && names.includes(name) ? known.data.value : [];
  });
  return values.length > 0 ? new Set(values) : undefined;
}

/** In words, the first thing wrong with a body. Names the field, never its content. */
export function problemOf(error: z.ZodError): string {
  const [issue] = error.issues;
  return `invalid request: ${[...(issue?.path.map(String) ?? []), issue?.message ?? ''].join(' ')}`;
}
