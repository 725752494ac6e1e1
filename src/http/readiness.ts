import { z } from 'zod';
import { time } from '../app/request-schema.ts';

const readinessPart = z.strictObject({
  name: z.string().meta({ description: '`database` and `queue` are needed; the others are only shown.' }),
  ok: z.boolean(),
  detail: z.string().meta({ description: 'One short sentence for a person.' }),
  at: time.nullable().meta({ description: 'Since when, or as of when; null when it was not looked at yet.' }),
});

/** One part that the API needs, or shows, and when it was last looked at. `detail` is shown to anyone: no secrets. */
export type ReadinessPart = z.infer<typeof readinessPart>;

export const readinessView = z
  .strictObject({ status: z.enum(['ready', 'not_ready']), parts: z.array(readinessPart) })
  .meta({ id: 'Readiness' });

export interface Readiness {
  readonly parts: readonly ReadinessPart[];
}

/** Without these no request can be taken in. A connection's server may be away: requests wait for it. */
const NEEDED = ['database', 'queue'];

/** Whether requests can be taken in: every needed part is there and well. */
export function isReady({ parts }: Readiness): boolean {
  return NEEDED.every((name) => parts.some((part) => part.name === name && part.ok));
}
