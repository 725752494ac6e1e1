import { LetheError } from '../domain/errors.ts';

/** Where a value stands in the file: field names and, inside lists, positions from 0. */
export type ConfigPath = readonly (string | number)[];

/** One mistake. It names places and rules, never a value: values may be secrets. */
export interface ConfigProblem {
  /** As in `connections[0].url`, or the name of the environment variable the value came from. */
  readonly path: string;
  /** Line of the file, from 1; `undefined` when the value came from the environment. */
  readonly line: number | undefined;
  /** What should have been there; reads on after "expected". */
  readonly expected: string;
}

/** CONFIG_INVALID: every mistake of the configuration at once, in the order of the file. */
export class ConfigError extends LetheError {
  readonly problems: readonly ConfigProblem[];

  /** `source` says where the configuration was read from: a file name or "environment". */
  constructor(source: string, problems: readonly ConfigProblem[]) {
    const sorted = problems.toSorted((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity) || 0);
    const count = sorted.length === 1 ? '1 mistake' : `${sorted.length} mistakes`;
    const lines = sorted.map((problem) => `  - ${describe(problem)}`);
    super('CONFIG_INVALID', [`The configuration (${source}) has ${count}:`, ...lines].join('\n'));
    this.problems = sorted;
  }
}

function describe({ path, line, expected }: ConfigProblem): string {
  const place = line === undefined ? path : `line ${line}, ${path}`;
  return `${place}: expected ${expected}`;
}

/** Real field names are words; anything else on the left of a colon may be a secret in the wrong place. */
const WORD = /^[A-Za-z][A-Za-z_-]{0,31}$/;

/** Whether a field's name may be shown. Names with digits, spaces or signs may be values that slipped. */
export function isShowableName(name: string): boolean {
  return WORD.test(name);
}

/** Writes a path as people write it: `connections[0].url`; `(top level)` for the whole file. */
export function pathText(path: ConfigPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += (text === '' ? '' : '.') + (isShowableName(step) ? step : '(name not shown)');
  }
  return text === '' ? '(top level)' : text;
}
