import { z } from 'zod';
import { REMOTE_STATUSES } from '../domain/openreplay.ts';
import type {
  RemoteEvent,
  RemoteJob,
  RemoteProject,
  RemoteSession,
  RemoteStatus,
  RemoteUser,
} from '../domain/openreplay.ts';
import { errorSignal, nullableId, optionalInteger, optionalText, requiredId } from './fields.ts';
import { unescapeHtml } from './unescape-html.ts';

const remoteStatus = z
  .string()
  .min(1)
  .transform((text): RemoteStatus => REMOTE_STATUSES.find((known) => known === text) ?? 'unknown');

export const job: z.ZodType<RemoteJob> = z
  .object({
    jobId: requiredId,
    status: remoteStatus,
    createdAt: optionalInteger,
    startAt: optionalInteger,
    // Kept as it came: real servers do not escape it, unlike what they say of a user.
    referenceId: optionalText,
    // The text quotes the user id, so only its being there is kept.
    errors: errorSignal,
  })
  .transform(({ errors, ...fields }) => ({ ...fields, hasErrors: errors }));

export const project: z.ZodType<RemoteProject> = z.object({
  projectKey: z.string().min(1),
  projectId: optionalText,
  name: optionalText,
  platform: optionalText,
});

/** A user in a list. Anonymous visitors come with an empty id there, which equals the id of no request. */
export const listedUser: z.ZodType<RemoteUser> = z
  .object({
    userId: nullableId.optional(),
    $user_id: nullableId.optional(),
    email: optionalText,
    $email: optionalText,
    country: optionalText,
    $country: optionalText,
    sessionsCount: optionalInteger,
  })
  .transform((row, context) => {
    const userId = row.userId === undefined || row.userId === '' ? (row.$user_id ?? row.userId) : row.userId;
    if (userId === undefined) {
      context.addIssue('no user id');
      return z.NEVER;
    }
    return {
      userId: unescapeHtml(userId),
      email: unescaped(row.email ?? row.$email),
      country: unescaped(row.country ?? row.$country),
      sessionsCount: row.sessionsCount,
    };
  });

/** A user asked for by id. */
export const singleUser: z.ZodType<RemoteUser> = listedUser.refine((user) => user.userId !== '');

function unescaped(text: string | undefined): string | undefined {
  return text === undefined ? undefined : unescapeHtml(text);
}

export const session: z.ZodType<RemoteSession> = z
  .object({
    sessionId: requiredId.optional(),
    /** As servers of live sessions spell it. */
    sessionID: requiredId.optional(),
    userId: optionalText,
    userID: optionalText,
    startTs: optionalInteger,
    endTs: optionalInteger,
    eventsCount: optionalInteger,
  })
  .transform(({ sessionID, userID, ...row }, context) => {
    const sessionId = row.sessionId ?? sessionID;
    if (sessionId === undefined) {
      context.addIssue('no session id');
      return z.NEVER;
    }
    return { ...row, sessionId, userId: row.userId ?? userID };
  });

export const event: z.ZodType<RemoteEvent> = z.object({ type: optionalText, timestamp: optionalInteger });
