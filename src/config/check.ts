import type { z } from 'zod';

import { strayCalendarSubdivisions } from './calendar.ts';
import type { Mistake } from './environment.ts';
import { intakeMistakes } from './intake.ts';
import { expectedName } from './known-name.ts';
import { fileSchema } from './file-schema.ts';
import type { ConfigFile } from './file-schema.ts';
import { isSection, valueAt } from './plain-tree.ts';
import type { ConfigPath } from './problem.ts';
import { isShowableName, pathText } from './problem.ts';

/** Checks a content against the schema and the rules over several fields; finds every mistake, not the first. */
export function checkFile(content: unknown): { file: ConfigFile | undefined; mistakes: Mistake[] } {
  const parsed = fileSchema.safeParse(content);
  const issues = parsed.success ? [] : parsed.error.issues.flatMap(mistakesOf);
  return {
    file: parsed.data,
    mistakes: [
      ...issues,
      ...disorders(content),
      ...tooShortRetention(content),
      ...repeats(content),
      ...missingMasterKey(content),
      ...strayMigrationUrl(content),
      ...strayCalendarSubdivisions(content),
      ...intakeMistakes(content),
    ],
  };
}

function mistakesOf(issue: z.core.$ZodIssue): Mistake[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code !== 'unrecognized_keys') return [{ path, expected: issue.message }];
  return issue.keys.map((name) => ({
    path: [...path, name],
    // An odd name may be a value that slipped, and a suggestion would give part of it away.
    expected: isShowableName(name) ? expectedName(path, name) : 'a known field',
  }));
}

/** Fields where the first must not be above the second. */
const ORDERED = [
  ['polling', 'minIntervalMs', 'maxIntervalMs'],
  ['retry', 'baseMs', 'maxMs'],
  ['breaker', 'baseMs', 'maxMs'],
  ['jobs', 'overdueMs', 'stalledMs'],
] as const;

function disorders(content: unknown): Mistake[] {
  return ORDERED.flatMap(([section, low, high]) => {
    const lowValue = effective(content, [section, low]);
    const highValue = effective(content, [section, high]);
    if (lowValue === undefined || highValue === undefined || lowValue <= highValue) return [];
    // The mistake stands where the file says something; a default alone is not the user's mistake.
    const blamed = valueAt(content, [section, low]) === undefined ? high : low;
    const expected =
      blamed === low
        ? `at most ${section}.${high} (${highValue})`
        : `at least ${section}.${low} (${lowValue})`;
    return [{ path: [section, blamed], expected }];
  });
}

/** What needs the identifiers, and for how many days at most. */
const NEEDS_IDENTIFIERS = [
  ['access', 'expiresAfterDays'],
  ['sentinel', 'days'],
] as const;

/** Nobody can be looked at again, and no package opened, once the identifiers are destroyed. */
function tooShortRetention(content: unknown): Mistake[] {
  const retention = ['retention', 'identifiersAfterCompletionDays'] as const;
  const kept = effective(content, retention);
  return NEEDS_IDENTIFIERS.flatMap((field) => {
    const needed = effective(content, field);
    if (kept === undefined || needed === undefined || needed <= kept) return [];
    const blamed = valueAt(content, retention) === undefined ? field : retention;
    const expected =
      blamed === retention
        ? `at least ${pathText(field)} (${needed})`
        : `at most ${pathText(retention)} (${kept})`;
    return [{ path: blamed, expected }];
  });
}

/** The number a field will have, its default included, of a list the last; `undefined` when it is wrong, which is said elsewhere. */
function effective(
  content: unknown,
  [section, field]: readonly [OrderedSection, string],
): number | undefined {
  const given = valueAt(content, [section, field]);
  const alone = given === undefined ? {} : { [field]: given };
  const parsed = fileSchema.shape[section].safeParse(alone);
  const value = parsed.success ? valueAt(parsed.data, [field]) : undefined;
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === 'number' ? last : undefined;
}
type OrderedSection = (typeof ORDERED)[number][0] | (typeof NEEDS_IDENTIFIERS)[number][0] | 'retention';

function repeats(content: unknown): Mistake[] {
  const connections = listAt(content, ['connections']);
  const names = connections.map((connection) => valueAt(connection, ['name']));
  return [
    ...repeated(names).map((index) => ({
      path: ['connections', index, 'name'],
      expected: 'a name that no connection above has',
    })),
    ...connections.flatMap((_, index) => repeatedProjects(content, ['connections', index, 'projects'])),
  ];
}

function repeatedProjects(content: unknown, path: ConfigPath): Mistake[] {
  return repeated(listAt(content, path)).map((index) => ({
    path: [...path, index],
    expected: 'each project key once',
  }));
}

function repeated(values: readonly unknown[]): number[] {
  return values.flatMap((value, index) =>
    typeof value === 'string' && values.indexOf(value) < index ? [index] : [],
  );
}

function listAt(content: unknown, path: ConfigPath): readonly unknown[] {
  const value = valueAt(content, path);
  return Array.isArray(value) ? value : [];
}

/**
 * With an embedded Postgres a key is made beside the data. A key made on one machine for a database of several
 * would lock the others out, so there it must be given.
 */
function missingMasterKey(content: unknown): Mistake[] {
  if (!isSection(content) || content['databaseUrl'] === undefined || content['masterKey'] !== undefined)
    return [];
  return [
    { path: ['masterKey'], expected: 'a master key beside databaseUrl: set LETHE_MASTER_KEY or masterKey' },
  ];
}

/** The embedded Postgres has roles of its own, so another login is for a database that was forgotten. */
function strayMigrationUrl(content: unknown): Mistake[] {
  if (!isSection(content) || content['migrationDatabaseUrl'] === undefined) return [];
  if (content['databaseUrl'] !== undefined) return [];
  const expected = 'databaseUrl (DATABASE_URL), too: what the service itself connects as';
  return [{ path: ['migrationDatabaseUrl'], expected }];
}
