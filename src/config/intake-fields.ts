import { z } from 'zod';

import { isProjectKey } from '../domain/identifiers.ts';
import { isJsonPointer } from '../domain/json-pointer.ts';
import { REGULATIONS } from '../domain/regulation.ts';
import { REQUEST_TYPES } from '../domain/request.ts';
import { SOURCE_KINDS } from '../domain/ticket.ts';
import { oneOf, text, whole } from './fields.ts';

/** The fields of `intake`: systems that deliver tickets. Rules over several of them are in intake.ts. */

const NAME = 'a name of 1 to 32 small letters, digits and "-", not starting with "-"';
export const SOURCE_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;

const POINTER = 'a JSON Pointer such as /issue/key (RFC 6901), or a list of them';
const pointer = text('a JSON Pointer such as /issue/fields/labels (RFC 6901)', isJsonPointer);

/** One pointer, or a list of them: the first that finds something counts. */
const pointers = oneOrMore(POINTER, isPointer).transform(listOf);

const VALUES = 'a text, a number, true or false, or a list of them';
const values = oneOrMore(VALUES, isScalar).transform((given) => listOf(given).map(String));

const condition = fields({ pointer: pointers, each: pointer.optional(), is: values });

const CONDITION = 'always, or a list of what has to hold, each with pointer and is';
const conditionList = z.array(condition, { error: CONDITION }).min(1, CONDITION).max(20, CONDITION);

/** Not a union: of one, only that neither form fits would be told. */
const conditions = z.unknown().transform((given, context) => {
  if (given === 'always') return given;
  const parsed = conditionList.safeParse(given);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const { path, message } = issue;
    if (issue.code === 'unrecognized_keys') context.issues.push({ ...issue, input: undefined });
    else context.issues.push({ code: 'custom', path, message, input: given });
  }
  return z.NEVER;
});

const SECRETS = 'one secret, or two while one takes the place of the other';
const secrets = z
  .array(z.string({ error: 'a secret' }), { error: SECRETS })
  .min(1, SECRETS)
  .max(2, SECRETS);

const WORDS = `a section that says which text of the ticket stands for which of ${REQUEST_TYPES.join(', ')}`;

const map = fields({
  ticket: pointers,
  userId: pointers.default([]),
  email: pointers.default([]),
  requester: pointers.default([]),
  receivedAt: pointers.default([]),
  projectKeys: pointers.default([]),
  type: fields({
    at: pointers,
    words: z.record(z.string(), oneOf(REQUEST_TYPES), { error: WORDS }),
  }).optional(),
});

const PROJECTS = 'a list of project keys';
const projectKey = text('a project key of 1 to 64 letters, digits, "_" or "-"', isProjectKey);

/** Of tickets, not of calls: far more than any team gets, far less than a loop sends. */
const rateLimit = fields({
  requests: whole(1, 1_000_000).default(1_200),
  perSeconds: whole(1, 3_600).default(60),
});

/** Names that HTTP itself has a use for. */
const RESERVED = /^(host|connection|transfer-encoding|te|trailer|upgrade|content-.*|expect|cookie)$/i;

const source = fields({
  name: text(NAME, (value) => SOURCE_NAME.test(value)),
  kind: oneOf(SOURCE_KINDS),
  secrets,
  header: text(
    'the name of the header that holds the secret, such as X-Lethe-Secret',
    (value) => /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(value) && !RESERVED.test(value),
  ).optional(),
  connection: z.string({ error: 'the name of a connection' }).optional(),
  regulation: oneOf(REGULATIONS).default('gdpr'),
  type: oneOf(REQUEST_TYPES).default('erasure'),
  projectKeys: z.array(projectKey, { error: PROJECTS }).min(1, PROJECTS).optional(),
  rateLimit: rateLimit.prefault({}),
  condition: conditions,
  map,
});

export const intakeFields = fields({
  maxBodyBytes: whole(1_024, 26_214_400).default(1_048_576),
  keepUnmappableDays: whole(1, 90).default(7),
  sources: z.array(source, { error: 'a list of sources' }).default([]),
});

/** The known field names, by section, as FIELD_NAMES has them. */
export const INTAKE_NAMES: readonly (readonly [section: string, names: string[]])[] = [
  ['intake', Object.keys(intakeFields.shape)],
  ['intake.sources', Object.keys(source.shape)],
  ['intake.sources.map', Object.keys(map.shape)],
  ['intake.sources.map.type', ['at', 'words']],
  ['intake.sources.condition', Object.keys(condition.shape)],
  ['intake.sources.rateLimit', Object.keys(rateLimit.shape)],
];

function fields<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === 'invalid_type' ? `a section with fields among ${Object.keys(shape).join(', ')}` : undefined,
  });
}

/** One thing or a list of them, so that most files need no list. */
function oneOrMore<T>(expected: string, accepts: (value: unknown) => value is T) {
  const isOne = (value: unknown): value is T | readonly T[] =>
    Array.isArray(value) ? value.length > 0 && value.length <= 100 && value.every(accepts) : accepts(value);
  return z.custom<T | readonly T[]>(isOne, { error: expected });
}

function listOf<T extends string | number | boolean>(given: T | readonly T[]): readonly T[] {
  return typeof given === 'object' ? given : [given];
}

function isPointer(value: unknown): value is string {
  return typeof value === 'string' && isJsonPointer(value);
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}
