import { styleText } from 'node:util';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { Io, Sink } from './io.ts';
import { plain, table, type Column } from './table.ts';

const DEFAULT_WIDTH = 80;
type Colour = 'green' | 'yellow' | 'red' | 'dim';

/** Where a command writes what it found: text for people, or JSON for programs. */
export interface Output {
  readonly json: boolean;
  /** Columns that a line may take. */
  readonly width: number;
  /** The one answer of a command. */
  value(value: unknown, text: (value: unknown) => string): void;
  /** Some of many, as soon as they are there; nothing for people, who get a table in the end. */
  items(values: readonly unknown[]): void;
  /** Lines for people; nothing in JSON. */
  text(text: string): void;
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void;
  /** A remark beside the answer, on standard error. */
  note(text: string): void;
  /** Only on a terminal that wants colours. */
  paint(colour: Colour, text: string): string;
}

/** Writes to `io`: JSON values a line each, or tables and sentences. */
export function createOutput(io: Io, { json }: { json: boolean }): Output {
  const width = widthOf(io.stdout);
  const colours = wantsColours(io);
  const print = (line: string) => {
    io.stdout.write(`${line}\n`);
  };
  const text = (line: string) => {
    if (!json && line !== '') print(line);
  };
  return {
    json,
    width,
    value: (value, render) => {
      if (json) print(JSON.stringify(value));
      else text(render(value));
    },
    items: (values) => {
      if (json) for (const value of values) print(JSON.stringify(value));
    },
    text,
    table: (columns, rows) => {
      text(rows.length === 0 ? 'none' : table(columns, rows, width));
    },
    note: (line) => {
      io.stderr.write(`${line}\n`);
    },
    paint: (colour, painted) => (colours ? styleText(colour, painted, { validateStream: false }) : painted),
  };
}

function widthOf({ isTTY, columns }: Sink): number {
  return isTTY === true && columns !== undefined && columns > 40 ? columns : DEFAULT_WIDTH;
}

/** See https://no-color.org: any value but the empty one means no. */
export function wantsColours({ env, stdout }: Pick<Io, 'env' | 'stdout'>): boolean {
  return stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

/** Any value as people can read it, where there is no better form: as YAML. */
export function readable(value: unknown): string {
  return stringify(value, { lineWidth: 0 }).trimEnd().split('\n').map(plain).join('\n');
}

const instant = z.iso.datetime({ offset: true });

/** `2026-03-01 09:30Z`, for people; what is no point in time stays as it is, and null is a dash. */
export function shortTime(text: string | null | undefined): string {
  if (text === null || text === undefined) return '–';
  return instant.safeParse(text).success
    ? `${new Date(text).toISOString().slice(0, 16).replace('T', ' ')}Z`
    : text;
}
