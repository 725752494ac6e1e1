import { z } from 'zod';
import { PACKAGE_FILES, type Progress } from '../domain/access-package.ts';
import type { PackageTask } from './ports/packages.ts';
import type { Box } from './ports/vault.ts';

const count = z.int().min(0);

const progress: z.ZodType<Progress> = z.strictObject({
  at: z.enum(['user', 'sessions', 'events', 'done']),
  readUntil: count,
  userKnown: z.boolean().nullable(),
  page: count,
  said: z.int().nullable(),
  listed: count,
  lastPageRead: z.boolean(),
  pending: z.array(z.string()),
  eventPage: count,
  eventsSaid: z.int().nullable(),
  eventsListed: count,
  sessions: count,
  events: count,
  gaps: z.array(
    z.strictObject({
      what: z.enum(['user', 'sessions', 'events']),
      reason: z.enum([
        'unsendable',
        'unauthorized',
        'rate_limited',
        'not_found',
        'conflict',
        'rejected',
        'redirected',
        'not_available',
        'server_error',
        'unreadable',
        'unreachable',
        'no_answer',
        'unroutable',
        'fewer_than_said',
        'too_many_pages',
        'of_somebody_else',
      ]),
      count,
    }),
  ),
  parts: z.record(z.enum(PACKAGE_FILES), count),
});

/** How far a task's gathering has come; undefined before its first step. */
export function openProgress(
  box: Box,
  { taskId, progressSealed }: Pick<PackageTask, 'taskId' | 'progressSealed'>,
): Progress | undefined {
  if (progressSealed === null) return undefined;
  return progress.parse(JSON.parse(box.openText(taskId, progressSealed, 'progress')));
}
