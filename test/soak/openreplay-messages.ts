import { z } from 'zod';

/** The API key that the soak's OpenReplay takes. */
export const TOKEN = 'soak-openreplay-token';

/** From the soak to its OpenReplay. */
export const command = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('faults'),
    faults: z.strictObject({
      rateLimited: z.number().optional(),
      unauthorized: z.number().optional(),
      missedRuns: z.number().optional(),
    }),
  }),
  /** `logsOf`: the users whose logs are wanted. */
  z.strictObject({ kind: z.literal('report'), logsOf: z.array(z.string()) }),
]);
export type Command = z.infer<typeof command>;

/** What a call about a user saw of them. Epoch ms. */
const seen = z.object({
  at: z.number(),
  operationId: z.string(),
  sessions: z.number(),
  isKnown: z.boolean(),
});
export type Seen = z.infer<typeof seen>;

const job = z.object({
  jobId: z.number(),
  userId: z.string(),
  status: z.enum(['scheduled', 'running', 'completed', 'failed', 'cancelled']),
  createdAt: z.number(),
  updatedAt: z.number().nullable(),
});
export type Job = z.infer<typeof job>;

/** What OpenReplay says of itself. Times are epoch ms. */
export const report = z.object({
  /** Users who are still there, and how many sessions they have. */
  left: z.array(z.tuple([z.string(), z.number()])),
  /** Deletions that got a job, one that vanished included. */
  deletions: z.array(z.object({ userId: z.string(), jobId: z.number(), at: z.number() })),
  /** Without those that vanished. */
  jobs: z.array(job),
  maxActiveJobsPerUser: z.number(),
  calls: z.record(z.string(), z.number()),
  logs: z.array(z.tuple([z.string(), z.array(seen)])),
});
export type Report = z.infer<typeof report>;
