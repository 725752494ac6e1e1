import { Readable, Writable } from 'node:stream';
import type { ExitStatus } from '../../src/cli/exit-status.ts';
import type { Io } from '../../src/cli/io.ts';
import { run } from '../../src/cli/run.ts';

/** What a call of the command line left behind. */
export interface CliResult {
  readonly status: ExitStatus;
  readonly out: string;
  readonly err: string;
}

export interface CliWorld {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  /** Both outputs are a terminal of 80 columns. */
  readonly terminal?: boolean;
  readonly now?: () => number;
  readonly interrupted?: AbortSignal;
}

/** A stream that keeps what is written to it. */
class Screen extends Writable {
  readonly isTTY: boolean;
  readonly columns = 80;
  text = '';

  constructor(isTTY: boolean) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
  }

  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

/** A world for the command line, and what it wrote there. */
export function createWorld(world: CliWorld = {}): { io: Io; out: () => string; err: () => string } {
  const { terminal = false, stdin = '', interrupted = new AbortController().signal } = world;
  const stdout = new Screen(terminal);
  const stderr = new Screen(terminal);
  const io: Io = {
    env: { ...world.env },
    cwd: world.cwd ?? '/nonexistent',
    stdin: Readable.from([Buffer.from(stdin)], { objectMode: false }),
    stdout,
    stderr,
    now: world.now ?? Date.now,
    interrupted,
  };
  return { io, out: () => stdout.text, err: () => stderr.text };
}

/** Calls the command line inside this process: the same code, without the second that a process takes to start. */
export async function lethe(argv: readonly string[], world: CliWorld = {}): Promise<CliResult> {
  const { io, out, err } = createWorld(world);
  const status = await run(argv, io);
  return { status, out: out(), err: err() };
}

/** The JSON values of an output, one a line. */
export function jsonLines(text: string): unknown[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}
