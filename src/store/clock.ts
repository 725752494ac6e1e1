import { z } from 'zod';
import { isDay } from '../domain/day.ts';
import { REGULATIONS } from '../domain/regulation.ts';

const day = z.string().refine(isDay);

const dayOff = z.object({
  day,
  kind: z.enum(['saturday', 'sunday', 'holiday']),
  name: z.string(),
});
const explanation = z.object({
  rule: z.string(),
  source: z.string(),
  receivedOn: day,
  countedTo: day,
  passed: z.array(dayOff),
  result: day,
  words: z.string(),
});

/** The clock of a request as it is stored. */
export const clock = z.object({
  regulation: z.enum(REGULATIONS),
  receivedOn: day,
  unrolledDueOn: day,
  dueOn: day,
  extendedUnrolledDueOn: day,
  extendedDueOn: day,
  extendBy: day,
  confirmBy: day.nullable(),
  explanation: z.object({ due: explanation, extended: explanation, confirm: explanation.nullable() }),
});
