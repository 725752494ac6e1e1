import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { PROBLEMS } from '../../src/http/problem.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');

const CODE = '[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+';
/** The ways in which the code writes a code down: given to a constructor, in a list of codes, in a table. */
const PLACES = [
  new RegExp(`(?:super|new \\w*Error|new HttpProblem)\\(\\s*'(${CODE})'`, 'g'),
  new RegExp(`\\bcode: '(${CODE})'`, 'g'),
];
const LISTS = /const \w*CODES = \[([^\]]*)\]/g;
const TYPES = /type \w*Code =([^;]*);/g;

interface Source {
  readonly name: string;
  readonly text: string;
}

function sources(): Source[] {
  return ['src', 'workers', 'db'].flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => ({
        name: `${folder}/${name}`,
        text: readFileSync(path.join(ROOT, folder, name), 'utf8'),
      })),
  );
}

function codesIn(text: string): string[] {
  const listed = [...text.matchAll(LISTS), ...text.matchAll(TYPES)].flatMap(([, list = '']) =>
    Array.from(list.matchAll(new RegExp(`'(${CODE})'`, 'g')), ([, code = '']) => code),
  );
  return [...listed, ...PLACES.flatMap((place) => Array.from(text.matchAll(place), ([, code = '']) => code))];
}

/** INTERNAL is one word, so the problems are taken from the table itself. */
function codesInSource(): string[] {
  const found = sources().flatMap(({ text }) => codesIn(text));
  return [...new Set([...found, ...Object.keys(PROBLEMS)])].toSorted();
}

function documentedCodes(): string[] {
  const page = readFileSync(path.join(ROOT, 'docs', 'errors.md'), 'utf8');
  return Array.from(page.matchAll(/^### `([A-Z_0-9]+)`$/gm), ([, code = '']) => code);
}

describe('error codes', () => {
  it('are all documented in docs/errors.md, and none that is gone', () => {
    expect(documentedCodes().toSorted()).toEqual(codesInSource());
  });

  it('are documented with what to do, each once', () => {
    const page = readFileSync(path.join(ROOT, 'docs', 'errors.md'), 'utf8');
    const sections = page.split(/^#+ /m).filter((section) => section.startsWith('`'));
    expect(sections.filter((section) => section.split('\n').slice(1).join('').trim().length < 60)).toEqual(
      [],
    );
    expect(new Set(documentedCodes()).size).toBe(documentedCodes().length);
  });

  it('are found in every file that makes a class of errors', () => {
    const blind = sources()
      .filter(({ text }) => /extends LetheError\b/.test(text))
      .filter(({ name, text }) => codesIn(text).length === 0 && name !== 'src/http/problem.ts')
      .map(({ name }) => name);
    expect(blind).toEqual([]);
  });

  it('are found however they are written', () => {
    const written = [
      "super('ONE_CODE', 'text')",
      "new LetheError(\n  'TWO_CODE',\n)",
      "throw new OtherError('THREE_CODE', message)",
      "{ code: 'FOUR_CODE' }",
      "export const SOME_CODES = [\n  // why\n  'FIVE_CODE',\n] as const",
      "type SomeCode = 'SIX_CODE' | 'SEVEN_CODE';",
    ].join('\n');
    expect(codesIn(written).toSorted()).toEqual(
      ['FIVE', 'FOUR', 'ONE', 'SEVEN', 'SIX', 'THREE', 'TWO'].map((word) => `${word}_CODE`),
    );
  });
});
