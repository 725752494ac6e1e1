import { z } from 'zod';
import { WORK_KINDS } from '../domain/work.ts';

/**
 * What goes through the queue: ids of work rows and their leases, nothing else. Whoever reads the queue learns
 * nothing of a data subject, and a lost job loses nothing.
 */
export const payload = z.strictObject({
  kind: z.enum(WORK_KINDS),
  work: z.array(z.strictObject({ id: z.string(), lease: z.string() })).min(1),
});
export type Payload = z.infer<typeof payload>;
