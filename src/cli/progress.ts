import { SingleBar } from 'cli-progress';
import type { Io } from './io.ts';

/** How far something is, on standard error: a bar that moves on a terminal, a line for each change elsewhere. */
export interface Progress {
  /** `total` 0 stands for "not known yet". */
  show(done: number, total: number, text: string): void;
  end(): void;
}

const BAR_COLUMNS = 24;

/** @param quiet nothing at all where there is no terminal: JSON on standard output tells the same */
export function createProgress(io: Io, { quiet }: { quiet: boolean }): Progress {
  if (io.stderr.isTTY === true) return createBar(io);
  return quiet ? { show: () => undefined, end: () => undefined } : createLines(io);
}

function createBar(io: Io): Progress {
  const bar = new SingleBar({
    stream: io.stderr,
    format: '{bar} {text}  {duration_formatted}',
    barsize: BAR_COLUMNS,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    // Drawn even if nothing moves, since the time does; ended by us and not by its own handlers of signals.
    forceRedraw: true,
    gracefulExit: false,
    emptyOnZero: true,
    linewrap: false,
  });
  return {
    show: (done, total, text) => {
      if (bar.isActive) {
        bar.setTotal(total);
        bar.update(done, { text });
      } else bar.start(total, done, { text });
    },
    end: () => {
      bar.stop();
    },
  };
}

function createLines(io: Io): Progress {
  let last = '';
  return {
    show: (_done, _total, text) => {
      if (text === last) return;
      last = text;
      io.stderr.write(`${new Date(io.now()).toISOString().slice(11, 19)}Z  ${text}\n`);
    },
    end: () => undefined,
  };
}
