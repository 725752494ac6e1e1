import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, ErrorCode, Node } from 'yaml';

import type { ConfigPath, ConfigProblem } from './problem.ts';

/** A parsed file: its plain content, where each value stands, and what was wrong with the YAML. */
export interface YamlFile {
  /** Plain objects, lists and scalars; `undefined` when the YAML could not be read at all. */
  readonly content: unknown;
  readonly problems: readonly ConfigProblem[];
  /** Line, from 1, of the field at `path`, or of the nearest section around it that is there, if any. */
  lineOf(path: ConfigPath): number | undefined;
}

/** The yaml package's own messages quote the source, which may hold secrets: these are said instead. */
const EXPECTATIONS: Partial<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'an alias without a tag or anchor of its own',
  BAD_ALIAS: 'an alias to an anchor that stands above it',
  BAD_DQ_ESCAPE: 'a known escape sequence in the double-quoted text',
  BAD_INDENT: 'the same indentation for all fields of a section, and every bracket closed',
  BAD_SCALAR_START: 'quotes around text that starts with @ or `',
  BLOCK_AS_IMPLICIT_KEY: 'one "name: value" a line',
  DUPLICATE_KEY: 'each field once; this one repeats a field of the same section',
  MISSING_CHAR: 'a closing quote or bracket, or the ":" or "," between two parts',
  MULTILINE_IMPLICIT_KEY: 'a ":" after the field name, on the same line',
  MULTIPLE_DOCS: 'one YAML document, without a second "---"',
  NON_STRING_KEY: 'a field name without brackets',
  TAB_AS_INDENT: 'spaces for indentation, not tabs',
  TAG_RESOLVE_FAILED: 'a value without a tag ("!...")',
};

/**
 * Parses YAML 1.2. Mistakes come with their line and in our words. Fields given twice are mistakes that leave
 * the rest readable; after any other one `content` is `undefined`, as the tree could be read wrongly.
 */
export function parseYaml(source: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(source, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    // Else a list or section as a field's name would be printed to stderr, secrets and all.
    stringKeys: true,
    logLevel: 'error',
  });
  const found = [...document.errors, ...document.warnings];
  const problems = firstOfEachLine(
    found.map(({ code, pos }) => expectation(source, code, lines.linePos(pos[0]).line)),
  );
  const lineOf = (path: ConfigPath): number | undefined => {
    const offset = offsetOf(document, path);
    return offset === undefined ? undefined : lines.linePos(offset).line;
  };
  if (found.some(({ code }) => code !== 'DUPLICATE_KEY')) return { content: undefined, problems, lineOf };
  try {
    return { content: document.toJS({ maxAliasCount: 100 }) ?? {}, problems, lineOf };
  } catch {
    // Only aliases make toJS throw; its message may quote the file.
    const line = lines.linePos(firstLooseAlias(document) ?? 0).line;
    const expected = 'each alias (*) below its anchor (&), and none that expand each other over and over';
    return { content: undefined, problems: [...problems, { path: '(YAML)', line, expected }], lineOf };
  }
}

function firstLooseAlias(document: Document): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) === undefined) offset ??= startOf(alias);
    },
  });
  return offset;
}

function expectation(source: string, code: ErrorCode, line: number): ConfigProblem {
  const text = source.split('\n')[line - 1] ?? '';
  // `{ port: ${PORT} }`: the inner braces are YAML's own there, which is the likeliest mistake of all.
  const unquoted = code === 'UNEXPECTED_TOKEN' || code === 'MISSING_CHAR';
  const expected =
    unquoted && /[{[].*\$\{/.test(text)
      ? 'quotes around "${NAME}" inside { } and [ ]'
      : (EXPECTATIONS[code] ?? 'valid YAML');
  return { path: '(YAML)', line, expected };
}

/** One slip makes the parser stumble several times in its line. */
function firstOfEachLine(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return problems.filter(
    ({ line }, index) => problems.findIndex((earlier) => earlier.line === line) === index,
  );
}

interface Place {
  readonly offset: number | undefined;
  readonly node: unknown;
}

function offsetOf(document: Document, path: ConfigPath): number | undefined {
  let place: Place = {
    offset: path.length === 0 ? startOf(document.contents) : undefined,
    node: document.contents,
  };
  for (const step of path) {
    const next = child(document, place.node, step);
    if (next === undefined) break;
    place = next;
  }
  return place.offset;
}

function child(document: Document, parent: unknown, step: string | number): Place | undefined {
  const node = isAlias(parent) ? parent.resolve(document) : parent;
  if (isSeq(node) && typeof step === 'number') {
    const item = node.items[step];
    return isNode(item) ? { offset: startOf(item), node: item } : undefined;
  }
  if (!isMap(node)) return undefined;
  // The last one of fields given twice is the one that counts.
  const pair = node.items.findLast(({ key }) => isScalar(key) && String(key.value) === step);
  return isNode(pair?.key) ? { offset: startOf(pair.key), node: pair.value } : undefined;
}

function startOf(node: Node | null): number | undefined {
  return node?.range?.[0];
}
