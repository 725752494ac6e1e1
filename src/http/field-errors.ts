import type { z } from 'zod';
import type { RowProblem } from '../domain/imports.ts';
import { HttpProblem, type FieldError, type ProblemCode } from './problem.ts';

/** Answers stay small even when a body is nothing but mistakes. */
const MAX_ERRORS = 100;

/**
 * Real field names are words. Anything else before a colon may be an identifier in the wrong place, and error texts
 * never repeat one.
 */
const NAME = /^[A-Za-z_$][A-Za-z0-9_$-]{0,63}$/;

/** A body or query whose fields are wrong, all named at once (the first hundred). */
export function invalidFields(code: ProblemCode, errors: readonly FieldError[]): HttpProblem {
  const count = errors.length === 1 ? '1 field' : `${errors.length} fields`;
  const which = errors.length > MAX_ERRORS ? `the first ${MAX_ERRORS}` : 'them';
  return new HttpProblem(code, `${count} cannot be accepted; errors names ${which}.`, {
    errors: errors.slice(0, MAX_ERRORS),
  });
}

/**
 * Parses a body. The schema's messages say what each field expects.
 *
 * @throws HttpProblem with `code`, naming each wrong field by a JSON Pointer
 */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown, code: ProblemCode): T {
  const parsed = parsedOr(schema, body);
  if ('problems' in parsed) throw invalidFields(code, parsed.problems);
  return parsed.data;
}

/** What the schema makes of a value, or every field that is wrong, by JSON Pointers. */
export function parsedOr<T>(
  schema: z.ZodType<T>,
  value: unknown,
): { readonly data: T } | { readonly problems: readonly RowProblem[] } {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { data: parsed.data };
  const problems = parsed.error.issues.flatMap(mistakesOf).map(({ path, detail }) => ({
    // Known names and showable ones hold neither "~" nor "/", so nothing needs escaping.
    pointer: path.map((step) => `/${step}`).join(''),
    detail,
  }));
  return { problems };
}

/**
 * Parses query parameters, as parseBody does.
 *
 * @throws HttpProblem QUERY_INVALID naming each wrong parameter
 */
export function parseQuery<T>(schema: z.ZodType<T>, query: unknown): T {
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.flatMap(mistakesOf).map(({ path, detail }) => ({
    parameter: path.join('.'),
    detail,
  }));
  throw invalidFields('QUERY_INVALID', errors);
}

interface Mistake {
  readonly path: readonly string[];
  readonly detail: string;
}

function mistakesOf(issue: z.core.$ZodIssue): Mistake[] {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') return [{ path, detail: `expected ${issue.message}` }];
  return issue.keys.map((key) =>
    NAME.test(key)
      ? { path: [...path, key], detail: 'this field is not known; expected no such field' }
      : { path, detail: 'it holds a field that is not known, with a name that is not repeated here' },
  );
}
