import type { Regulation } from '../domain/regulation.ts';
import type { Condition, SourceKind, TicketRules } from '../domain/ticket.ts';
import { webhookKey } from '../signatures/standard-webhooks.ts';
import { ZENDESK_TEST_SECRET } from '../signatures/zendesk-test-secret.ts';
import type { Mistake } from './environment.ts';
import type { ConfigFile } from './file-schema.ts';
import { valueAt } from './plain-tree.ts';
import type { ConfigPath } from './problem.ts';
import { isRuleSource } from './rule-source.ts';

/** Systems that deliver tickets. */
export interface IntakeConfig {
  readonly maxBodyBytes: number;
  /** How long the body of a delivery is kept that cannot be mapped. */
  readonly keepUnmappableMs: number;
  /** Names are unique, and so are secrets. */
  readonly sources: readonly SourceConfig[];
}

export interface SourceConfig {
  readonly name: string;
  readonly kind: SourceKind;
  /** Secret; the newest first. */
  readonly secrets: readonly [string, ...string[]];
  /** There exactly where the kind has its secret in a header. */
  readonly header: string | undefined;
  readonly connection: string | undefined;
  readonly regulation: Regulation;
  readonly rateLimit: { readonly requests: number; readonly perSeconds: number };
  readonly rules: TicketRules;
}

type GivenCondition = Exclude<ConfigFile['intake']['sources'][number]['condition'], 'always'>[number];

const DAY_MS = 86_400_000;

export function intakeOf({ intake }: Pick<ConfigFile, 'intake'>): IntakeConfig {
  return {
    maxBodyBytes: intake.maxBodyBytes,
    keepUnmappableMs: intake.keepUnmappableDays * DAY_MS,
    sources: intake.sources.map((source) => {
      const { secrets, header, connection, map, condition, type, projectKeys, ...rest } = source;
      const [first = '', ...others] = secrets;
      return {
        ...rest,
        ...{ header, connection },
        secrets: [first, ...others],
        rules: {
          ...map,
          condition: condition === 'always' ? condition : condition.map(conditionOf),
          type: map.type === undefined ? type : { pointers: map.type.at, words: map.type.words },
          projectKeys: projectKeys === undefined ? map.projectKeys : { fixed: projectKeys },
        },
      };
    }),
  };
}

function conditionOf({ pointer: pointers, ...rest }: GivenCondition): Condition {
  return { pointers, ...rest };
}

/** Kinds whose secret is sent as it is, in a header. */
const IN_HEADER: readonly unknown[] = ['jira-automation', 'shared-secret'];

/** The rules over several fields of sources, and over several sources. */
export function intakeMistakes(content: unknown): readonly Mistake[] {
  const sources = listAt(content, ['intake', 'sources']);
  const place = (index: number, ...more: ConfigPath): ConfigPath => ['intake', 'sources', index, ...more];
  const names = sources.map((source) => valueAt(source, ['name']));
  const secrets = sources.map((source) => listAt(source, ['secrets']));
  return [
    ...names.flatMap((name, index) =>
      typeof name === 'string' && names.indexOf(name) < index
        ? [{ path: place(index, 'name'), expected: 'a name that no source above has' }]
        : [],
    ),
    ...sources.flatMap((source, index) => [
      ...secretMistakes(source, secrets.slice(0, index).flat()).map(([at, expected]) => ({
        path: place(index, 'secrets', at),
        expected,
      })),
      ...sourceMistakes(content, source).map(([path, expected]) => ({
        path: place(index, ...path),
        expected,
      })),
    ]),
    ...ruleMistakes(content, names),
  ];
}

const PLAIN = 'a secret of 16 to 1024 characters, without control characters or spaces at its ends';
const VISIBLE = 'a secret of 16 to 1024 visible ASCII characters, since it stands in a header';
const WHSEC = 'a secret of Standard Webhooks: whsec_ and 24 to 64 bytes in base64';
// eslint-disable-next-line no-control-regex -- control characters are exactly what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;

/** What each kind of source takes for a secret: an empty one could be used by anybody, and a short one be guessed. */
function secretRule(kind: unknown, secret: string): string | undefined {
  if (kind === 'standard-webhooks') return webhookKey(secret) === undefined ? WHSEC : undefined;
  if (secret === ZENDESK_TEST_SECRET)
    return 'a secret of your own: this one is printed in the documentation of Zendesk';
  if (IN_HEADER.includes(kind))
    return /^[\x21-\x7e][\x20-\x7e]{14,1022}[\x21-\x7e]$/.test(secret) ? undefined : VISIBLE;
  const fits =
    secret.length >= 16 && secret.length <= 1_024 && secret.trim() === secret && !CONTROL.test(secret);
  return fits ? undefined : PLAIN;
}

function secretMistakes(source: unknown, before: readonly unknown[]): readonly (readonly [number, string])[] {
  const kind = valueAt(source, ['kind']);
  const own = listAt(source, ['secrets']);
  return own.flatMap((secret, index): readonly (readonly [number, string])[] => {
    // Not a text: the schema says so.
    if (typeof secret !== 'string') return [];
    const broken = secretRule(kind, secret);
    if (broken !== undefined) return [[index, broken]];
    if (before.includes(secret)) return [[index, 'a secret that no source above has']];
    return own.indexOf(secret) < index ? [[index, 'another secret than the first']] : [];
  });
}

type SourceMistake = readonly [path: ConfigPath, expected: string];

interface SourceRule {
  readonly path: ConfigPath;
  readonly expected: string;
  readonly isBroken: (has: (...path: ConfigPath) => boolean, kind: unknown) => boolean;
}

const SOURCE_RULES: readonly SourceRule[] = [
  {
    path: ['header'],
    expected: 'the name of the header that holds the secret',
    isBroken: (has, kind) => IN_HEADER.includes(kind) && !has('header'),
  },
  {
    path: ['header'],
    expected: 'no header: this kind has headers of its own',
    isBroken: (has, kind) => kind !== undefined && !IN_HEADER.includes(kind) && has('header'),
  },
  {
    path: ['map'],
    expected: 'userId or email, or both: where a ticket names the data subject',
    isBroken: (has) => has('map') && !has('map', 'userId') && !has('map', 'email'),
  },
  {
    path: ['projectKeys'],
    expected: 'either projectKeys for all tickets, or map.projectKeys',
    isBroken: (has) => has('projectKeys') && has('map', 'projectKeys'),
  },
  {
    path: ['type'],
    expected: 'either type for all tickets, or map.type',
    isBroken: (has) => has('type') && has('map', 'type'),
  },
];

function sourceMistakes(content: unknown, source: unknown): readonly SourceMistake[] {
  const has = (...path: ConfigPath) => valueAt(source, path) !== undefined;
  const kind = valueAt(source, ['kind']);
  const broken = SOURCE_RULES.filter(({ isBroken }) => isBroken(has, kind));
  return [
    ...broken.map(({ path, expected }): SourceMistake => [path, expected]),
    ...connectionMistakes(content, source),
  ];
}

function connectionMistakes(content: unknown, source: unknown): readonly SourceMistake[] {
  const names = listAt(content, ['connections']).map((connection) => valueAt(connection, ['name']));
  const name = valueAt(source, ['connection']);
  if (name !== undefined)
    return names.includes(name) ? [] : [[['connection'], 'the name of one of the connections']];
  if (names.length < 2 || valueAt(source, ['map', 'userId']) === undefined) return [];
  return [[['connection'], 'the connection that the user ids of this source belong to']];
}

/** `webhook:support` in a rule of policy stands for one source, which there must be. */
function ruleMistakes(content: unknown, names: readonly unknown[]): readonly Mistake[] {
  return listAt(content, ['policy', 'rules']).flatMap((rule, at) =>
    listAt(rule, ['sources']).flatMap((named, index) => {
      const source = typeof named === 'string' && isRuleSource(named) ? named.split(':')[1] : undefined;
      if (source === undefined || names.includes(source)) return [];
      const path = ['policy', 'rules', at, 'sources', index];
      return [{ path, expected: 'webhook: and the name of a source of intake.sources' }];
    }),
  );
}

function listAt(content: unknown, path: ConfigPath): readonly unknown[] {
  const value = valueAt(content, path);
  return Array.isArray(value) ? value : [];
}
