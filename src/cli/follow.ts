import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from './api-client.ts';
import { understood } from './api-client.ts';
import { CommandError, commandError, EXIT, type ExitStatus } from './exit-status.ts';
import type { Io } from './io.ts';
import { plain } from './table.ts';
import type { Output } from './output.ts';
import { createProgress, type Progress } from './progress.ts';
import { requestText, shownRequest, waitingText, type ShownRequest } from './request-text.ts';

/** States in which nothing happens by itself any more, and the status that says how it ended. */
const REST: Readonly<Record<string, ExitStatus>> = {
  completed: EXIT.ok,
  cancelled: EXIT.failed,
  refused: EXIT.failed,
  needs_attention: EXIT.needsPerson,
  awaiting_identity: EXIT.needsPerson,
  awaiting_approval: EXIT.needsPerson,
  on_hold: EXIT.needsPerson,
};

/** A restart of the service, or a proxy's hiccup, is no reason to stop following. */
const OUTAGE_MS = 120_000;

export interface Following {
  readonly io: Io;
  readonly api: ApiClient;
  readonly output: Output;
  /** Between two looks. */
  readonly everyMs: number;
}

/** Shows a request's progress until it rests, and gives the status that says how: see docs/cli.md. */
export async function followRequest(following: Following, id: string): Promise<ExitStatus> {
  const { io, output } = following;
  const progress = createProgress(io, { quiet: output.json });
  const look = patientLook(following, `/v1/erasure-requests/${encodeURIComponent(id)}`);
  let last = '';
  try {
    for (;;) {
      const raw = await look();
      const request = understood(shownRequest, raw);
      const text = JSON.stringify(raw);
      if (text !== last) output.items([raw]);
      last = text;
      show(progress, request);
      const status = REST[request.state];
      if (status !== undefined) {
        progress.end();
        output.text(requestText(request, output));
        return status;
      }
      await pause(following);
    }
  } finally {
    progress.end();
  }
}

/** Waits until the next look. @throws CommandError COMMAND_INTERRUPTED */
async function pause({ io, everyMs }: Pick<Following, 'io' | 'everyMs'>): Promise<void> {
  try {
    await sleep(everyMs, undefined, { signal: io.interrupted });
  } catch (error) {
    throw commandError('COMMAND_INTERRUPTED', 'interrupted', error);
  }
}

/** Looks at a path again and again; once it was seen, an API that is away is waited for some time. */
function patientLook(following: Following, path: string): () => Promise<unknown> {
  const { api, io } = following;
  let seenAt: number | undefined;
  return async () => {
    for (;;) {
      try {
        const answer = await api.ask({ method: 'GET', path });
        seenAt = io.now();
        return answer;
      } catch (error) {
        const away = error instanceof CommandError && error.status === EXIT.unavailable;
        if (!away || seenAt === undefined || io.now() - seenAt > OUTAGE_MS) throw error;
        await pause(following);
      }
    }
  };
}

/** How many steps a task has behind it of those that it goes through. */
const STEPS: Readonly<Record<string, number>> = {
  pending: 0,
  submitting: 1,
  submitted: 2,
  verifying: 3,
  gathered: 4,
  erased: 4,
  residue: 4,
  failed: 4,
  unroutable: 4,
  cancelled: 4,
};
const ALL_STEPS = 4;

function show(progress: Progress, request: ShownRequest): void {
  const { state, tasks } = request;
  const done = tasks.reduce((sum, task) => sum + (STEPS[task.state] ?? 0), 0);
  const erased = tasks.filter((task) => task.state === 'erased').length;
  const count = tasks.length === 0 ? '' : `, ${erased} of ${tasks.length} projects erased`;
  const why = waitingText(request) ?? request.tasks.flatMap((task) => waitingText(task) ?? [])[0];
  progress.show(
    done,
    tasks.length * ALL_STEPS,
    plain(`${state}${count}${why === undefined ? '' : `. ${why}`}`),
  );
}
