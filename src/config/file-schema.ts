import { z } from 'zod';

import { isProjectKey } from '../domain/identifiers.ts';
import { REGULATIONS } from '../domain/regulation.ts';
import { REQUEST_TYPES, SOURCES } from '../domain/request.ts';
import { calendarFields } from './calendar-fields.ts';
import { isCommentTemplate } from './comment-template.ts';
import { flag, milliseconds, oneOf, share, text, whole } from './fields.ts';
import { INTAKE_NAMES, intakeFields } from './intake-fields.ts';
import { isRuleSource } from './rule-source.ts';
import {
  API_KEY_RULE,
  DATABASE_URL_RULE,
  isApiKey,
  isDatabaseUrl,
  isNetwork,
  isOpenReplayUrl,
  isRedisUrl,
  MASTER_KEY_RULE,
  masterKeyOf,
  masterKeysOf,
  OPENREPLAY_URL_RULE,
  REPLY_URL_RULE,
  OTHER_MASTER_KEYS_RULE,
  REDIS_URL_RULE,
} from './secrets-and-urls.ts';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const NO_CONNECTION =
  'at least one connection: set OPENREPLAY_URL and OPENREPLAY_API_KEY, or write a connections section';

const RULE_SOURCE = `one of ${SOURCES.join(', ')}, or webhook: and the name of a source`;
const SOURCES_RULE = `a list of ${SOURCES.join(', ')}, webhook: and the name of a source, or no sources field at all for every one`;
const LAWS = `a list of ${REGULATIONS.join(', ')}, or no regulations field at all for every one`;

const TYPES = `a list of ${REQUEST_TYPES.join(', ')}, or no types field at all for every one`;

const AGES = 'a list of at most 10 days, ascending; empty for never';

const host = text('a host name or an IP address', (value) => /^[A-Za-z0-9._:-]{1,253}$/.test(value));
const tenant = text('1 to 64 letters, digits, ".", "_" or "-" (in quotes when only digits)', (value) =>
  /^[A-Za-z0-9._-]{1,64}$/.test(value),
);
/** It stands in every checkpoint, where spaces and plus signs divide. */
const logName = text(
  'a name of 1 to 200 visible ASCII characters but "+", such as audit.example.com/lethe',
  (value) => /^[\x21-\x2a\x2c-\x7e]{1,200}$/.test(value),
);
/** BullMQ's keys are built with it; braces around it keep them in one slot of a Redis cluster. */
const queuePrefix = text('1 to 64 letters, digits, ".", "_" or "-", all of it in braces or not', (value) =>
  /^(?:[A-Za-z0-9._-]{1,64}|\{[A-Za-z0-9._-]{1,62}\})$/.test(value),
);
const directory = text('the path of a folder', (value) => value.trim() !== '' && !value.includes('\0'));
const connectionName = text(
  'a name of 1 to 32 small letters, digits and "-", not starting with "-"',
  (value) => /^[a-z0-9][a-z0-9-]{0,31}$/.test(value),
);
const projectKey = text(
  'a project key of 1 to 64 letters, digits, "_" or "-" (in quotes when only digits)',
  isProjectKey,
);
const projects = 'at least one project key, or no projects field at all for every project of the tenant';

const HOSTS = 'a list of host names, "*.example.com" for all below one, "*" for all';
const NETWORKS = 'a list of networks such as 10.0.0.0/8 or fd00::/8';
const hostPattern = text(HOSTS, (value) =>
  /^(?:\*|(?:\*\.)?[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,252})$/.test(value),
);
const networkCidr = text(NETWORKS, isNetwork);

const connection = section({
  name: connectionName,
  url: text(OPENREPLAY_URL_RULE, isOpenReplayUrl),
  apiKey: text(API_KEY_RULE, isApiKey),
  projects: z.array(projectKey, { error: projects }).min(1, { error: projects }).optional(),
  countSessionsBefore: flag().default(true),
  concurrency: whole(1, 256).default(8),
  maxConcurrency: whole(1, 10_000).optional(),
  rateLimit: section({ requests: whole(1, 1_000_000), perSeconds: whole(1, 3_600).default(1) }).optional(),
  connectTimeoutMs: milliseconds(1).default(5_000),
  responseTimeoutMs: milliseconds(1).default(60_000),
  maxBodyBytes: whole(1_024, 268_435_456).default(4_194_304),
});

/** As api-key-schema.ts bounds the limit of a single key. */
const rateLimit = section({
  requests: whole(1, 1_000_000).default(600),
  perSeconds: whole(1, 3_600).default(60),
});

const regulation = section({
  timeZone: calendarFields.timeZone.optional(),
  country: calendarFields.country.optional(),
  subdivision: calendarFields.subdivision.optional(),
});

const policyRule = section({
  sources: z
    .array(text(RULE_SOURCE, isRuleSource), { error: SOURCES_RULE })
    .min(1, { error: SOURCES_RULE })
    .optional(),
  regulations: z.array(oneOf(REGULATIONS), { error: LAWS }).min(1, { error: LAWS }).optional(),
  types: z.array(oneOf(REQUEST_TYPES), { error: TYPES }).min(1, { error: TYPES }).optional(),
  identity: oneOf(['required', 'not_required']).optional(),
  approval: oneOf(['none', 'one', 'two']).optional(),
  coolingOffMinutes: whole(0, 43_200).optional(),
});

const COMMENT = 'a mustache template with at most requestId, state, outcome and dueOn in it';
const moment = section({
  comment: text(COMMENT, isCommentTemplate).optional(),
  status: oneOf(['open', 'pending', 'hold', 'solved']).optional(),
  transition: text('the id of a transition, in quotes', (value) => /^[0-9]{1,10}$/.test(value)).optional(),
});

const replyTarget = section({
  name: connectionName,
  kind: oneOf(['zendesk', 'jira']),
  url: text(REPLY_URL_RULE, isOpenReplayUrl),
  user: text('the account whose API token it is', (value) => /^[\x21-\x39\x3b-\x7e]{1,254}$/.test(value)),
  token: text(API_KEY_RULE, isApiKey),
  prefix: text('a text of at most 50 characters', (value) => value.length <= 50).default(''),
  on: section({
    accepted: moment.prefault({}),
    needsPerson: moment.prefault({}),
    completed: moment.prefault({}),
    refused: moment.prefault({}),
  }).prefault({}),
});

const sections = {
  server: section({
    host: host.default('127.0.0.1'),
    port: whole(0, 65_535).default(8080),
    trustProxy: flag().default(false),
  }),
  api: section({ rateLimit: rateLimit.prefault({}) }),
  polling: section({
    minIntervalMs: milliseconds(1).default(10_000),
    maxIntervalMs: milliseconds(1).default(900_000),
    fraction: share().default(0.25),
  }),
  verification: section({
    retryMs: milliseconds(1).default(60_000),
    settleMs: milliseconds(0).default(7_200_000),
    requireUserAbsent: flag().default(true),
  }),
  retry: section({
    baseMs: milliseconds(1).default(2_000),
    maxMs: milliseconds(1).default(900_000),
    patienceMs: milliseconds(0).default(86_400_000),
    beforeDueMs: milliseconds(0).default(259_200_000),
  }),
  breaker: section({
    failures: whole(1, 10_000).default(8),
    baseMs: milliseconds(1).default(5_000),
    maxMs: milliseconds(1).default(300_000),
  }),
  jobs: section({
    overdueMs: milliseconds(1).default(93_600_000),
    stalledMs: milliseconds(1).default(180_000_000),
  }),
  rounds: section({ max: whole(1, 10_000).default(50), maxFailedJobs: whole(1, 1_000).default(3) }),
  policy: section({
    maxMatches: whole(1, 1_000).default(5),
    emailLocalPart: oneOf(['exact', 'case_insensitive']).default('exact'),
    waitForLiveMinutes: whole(0, 10_080).default(60),
    rules: z.array(policyRule, { error: 'a list of rules' }).default([]),
  }),
  access: section({ expiresAfterDays: whole(1, 90).default(7) }),
  evidence: section({
    origin: logName.optional(),
    sealIntervalMs: milliseconds(10).default(1_000),
  }),
  journal: section({ directory: directory.optional(), keepDays: whole(1, 3_650).default(30) }),
  retention: section({ identifiersAfterCompletionDays: whole(1, 3_650).default(30) }),
  outgoing: section({
    hosts: z.array(hostPattern, { error: HOSTS }).default([]),
    networks: z.array(networkCidr, { error: NETWORKS }).default([]),
    plainHttp: flag().default(false),
    connectTimeoutMs: milliseconds(1).default(5_000),
    responseTimeoutMs: milliseconds(1).default(15_000),
    keepDeliveriesDays: whole(1, 3_650).default(30),
  }),
  sentinel: section({
    days: z
      .array(whole(1, 3_650), { error: AGES })
      .max(10, { error: AGES })
      .refine((days) => days.every((day, index) => day > (days[index - 1] ?? -Infinity)), { error: AGES })
      .default([1, 7, 30]),
  }),
  worker: section({
    leaseMs: milliseconds(100).default(30_000),
    handOutMs: milliseconds(100).default(60_000),
    dispatchIntervalMs: milliseconds(10).default(250),
    maxHandedOut: whole(1, 100_000).default(1_000),
    drainMs: milliseconds(0).default(20_000),
  }),
  calendar: section({
    timeZone: calendarFields.timeZone.default('UTC'),
    country: calendarFields.country.optional(),
    subdivision: calendarFields.subdivision.optional(),
    regulations: section({
      gdpr: regulation.prefault({}),
      uk_gdpr: regulation.prefault({}),
      ccpa: regulation.prefault({}),
    }).prefault({}),
  }),
  log: section({ level: oneOf(LOG_LEVELS).default('info') }),
};

/**
 * What may stand in the file after variables were replaced; the messages are what a mistake says was expected.
 * Rules over several fields are in check.ts, so that one wrong field does not hide them.
 */
export const fileSchema = section({
  tenant: tenant.default('default'),
  server: sections.server.prefault({}),
  api: sections.api.prefault({}),
  databaseUrl: text(DATABASE_URL_RULE, isDatabaseUrl).optional(),
  migrationDatabaseUrl: text(DATABASE_URL_RULE, isDatabaseUrl).optional(),
  redisUrl: text(REDIS_URL_RULE, isRedisUrl).optional(),
  queuePrefix: queuePrefix.default('lethe'),
  masterKey: text(MASTER_KEY_RULE, (value) => masterKeyOf(value) !== undefined).optional(),
  otherMasterKeys: text(OTHER_MASTER_KEYS_RULE, (value) => masterKeysOf(value) !== undefined).optional(),
  dataDirectory: directory.default('.lethe'),
  connections: z.array(connection, { error: NO_CONNECTION }).min(1, { error: NO_CONNECTION }),
  polling: sections.polling.prefault({}),
  verification: sections.verification.prefault({}),
  retry: sections.retry.prefault({}),
  breaker: sections.breaker.prefault({}),
  jobs: sections.jobs.prefault({}),
  rounds: sections.rounds.prefault({}),
  policy: sections.policy.prefault({}),
  intake: intakeFields.prefault({}),
  access: sections.access.prefault({}),
  journal: sections.journal.prefault({}),
  evidence: sections.evidence.prefault({}),
  retention: sections.retention.prefault({}),
  outgoing: sections.outgoing.prefault({}),
  replies: z.array(replyTarget, { error: 'a list of ticket systems' }).default([]),
  sentinel: sections.sentinel.prefault({}),
  worker: sections.worker.prefault({}),
  calendar: sections.calendar.prefault({}),
  log: sections.log.prefault({}),
});

/** The file as read: every default filled in, nothing derived yet. */
export type ConfigFile = z.output<typeof fileSchema>;

/** The known field names of each section; `''` is the top level, `connections` an entry of that list. Inner sections have dots. */
export const FIELD_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ['', Object.keys(fileSchema.shape)],
  ['connections', Object.keys(connection.shape)],
  ['replies', Object.keys(replyTarget.shape)],
  ['policy.rules', Object.keys(policyRule.shape)],
  ['api.rateLimit', Object.keys(rateLimit.shape)],
  ...INTAKE_NAMES,
  ...Object.entries(sections).map(([name, { shape }]): [string, string[]] => [name, Object.keys(shape)]),
]);

function section<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === 'invalid_type' ? `a section with fields among ${Object.keys(shape).join(', ')}` : undefined,
  });
}
