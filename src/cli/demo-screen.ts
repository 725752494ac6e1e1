import type { Part } from './demo-cast.ts';
import type { ShownRequest } from './demo-client.ts';

const BAR_WIDTH = 30;

/** One line of progress: redrawn in place on a terminal, a new line for each change elsewhere. */
export class ProgressLine {
  private last = '';

  show(requests: readonly ShownRequest[], seconds: number): void {
    const settled = requests.filter(isSettled).length;
    const filled = Math.round((settled / Math.max(1, requests.length)) * BAR_WIDTH);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
    const counts = countBy(requests.flatMap((request) => request.tasks.map((task) => task.state)));
    const text = `${bar} ${settled}/${requests.length}  tasks: ${counts}`;
    if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${text}  ${seconds.toFixed(0)} s`);
    else if (text !== this.last) process.stdout.write(`${seconds.toFixed(1).padStart(5)} s  ${text}\n`);
    this.last = text;
  }

  end(): void {
    if (process.stdout.isTTY) process.stdout.write('\n');
  }
}

/** Whether nothing more happens to the request by itself. */
export function isSettled(request: ShownRequest): boolean {
  return ['completed', 'cancelled', 'refused', 'needs_attention'].includes(request.state);
}

function countBy(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].map(([value, count]) => `${count} ${value}`).join(', ') || 'none yet';
}

const HEADINGS = ['request', 'about', 'state', 'rounds', 'jobs', 'reported', 'verified', 'time'];

/** The table that the demo ends with. Ids of people are not in it: the request's id and what it is about are. */
export function resultTable(rows: readonly { part: Part; request: ShownRequest }[]): string {
  const cells = rows.map(({ part, request }) => resultRow(part, request));
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(HEADINGS), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(line)].join('\n');
}

function resultRow(part: Part, request: ShownRequest): readonly string[] {
  const rounds = request.tasks.map((task) => task.rounds);
  const jobs = rounds.flat().flatMap((round) => round.jobId ?? []);
  const time = (Date.parse(request.updatedAt) - Date.parse(request.createdAt)) / 1000;
  return [
    `…${request.id.slice(-8)}`,
    part.about,
    request.state,
    rounds.map((own) => own.length).join('+'),
    jobs.join(',') || '–',
    reported(request),
    verified(request),
    `${time.toFixed(1)} s`,
  ];
}

function reported(request: ShownRequest): string {
  const all = request.tasks.flatMap((task) => task.rounds.map((round) => round.reported ?? '–'));
  return all.length === 0 ? 'never sent' : [...new Set(all)].join(', ');
}

function verified(request: ShownRequest): string {
  const [task] = request.tasks;
  if (task?.unroutable) return `unroutable: ${task.unroutable.reason}`;
  const seen = new Set(
    request.tasks.map(({ verification }) =>
      verification === null ? 'not yet' : `user ${verification.user}, sessions ${verification.sessions}`,
    ),
  );
  const storage = request.tasks.some((other) => other.storageCheckNeeded) ? '; check storage' : '';
  return [...seen].join(' | ') + storage;
}
