import { z } from 'zod';
import type { JournalEntry } from '../app/ports/journal.ts';
import { REGULATIONS } from '../domain/regulation.ts';

const id = (prefix: string) => z.string().regex(new RegExp(`^${prefix}_[0-9a-f]{32}$`));
const time = z.iso.datetime().transform((text) => new Date(text));

/** Version 1 of a line. Fields may be added to it; what a reader does not know it leaves alone. */
const line = z
  .object({
    v: z.literal(1),
    at: time,
    request_id: id('er'),
    task_id: id('tk'),
    connection: z.string().min(1),
    project_key: z.string().min(1),
    regulation: z.enum(REGULATIONS),
    received_at: time,
    sealed: z.base64(),
  })
  .transform((from): JournalEntry => {
    const { at, connection, regulation } = from;
    return {
      ...{ at, connection, regulation },
      requestId: from.request_id,
      taskId: from.task_id,
      projectKey: from.project_key,
      receivedAt: from.received_at,
      sealed: Buffer.from(from.sealed, 'base64'),
    };
  });

/** One line of JSON, its end included. */
export function writeLine(entry: JournalEntry): string {
  const { at, connection, regulation } = entry;
  return `${JSON.stringify({
    v: 1,
    at: at.toISOString(),
    request_id: entry.requestId,
    task_id: entry.taskId,
    connection,
    project_key: entry.projectKey,
    regulation,
    received_at: entry.receivedAt.toISOString(),
    sealed: Buffer.from(entry.sealed).toString('base64'),
  })}\n`;
}

/** Undefined for what is no line of a journal, such as the half of one that a crash left. */
export function readLine(text: string): JournalEntry | undefined {
  try {
    return line.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
