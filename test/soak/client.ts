import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Person } from './people.ts';

/** A request that was accepted: the service has answered 201. */
export interface Accepted {
  readonly person: Person;
  readonly requestId: string;
}

export interface Client {
  readonly url: string;
  readonly token: string;
  /** Answers by status, 0 for none. */
  readonly answers: Map<number, number>;
  /** What the service should not have answered. */
  readonly faults: string[];
}

const created = z.looseObject({ id: z.string() });
const CALL_TIMEOUT_MS = 8_000;
const PAUSE_MS = 250;
const PATIENCE_MS = 180_000;

/** Submits as a careful caller does: with an Idempotency-Key, again and again, until it is accepted. */
export async function submit(
  client: Client,
  person: Person,
  idempotencyKey: string,
): Promise<Accepted | undefined> {
  const { userId, email } = person;
  const body = JSON.stringify({ subject: email === undefined ? { userId } : { email } });
  const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': idempotencyKey };
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const answer = await call(client, '/v1/erasure-requests', { method: 'POST', headers, body });
    if (answer?.status === 201) return { person, requestId: created.parse(JSON.parse(answer.body)).id };
    await sleep(PAUSE_MS);
  }
  client.faults.push(`subject ${person.number} was not accepted within ${PATIENCE_MS / 1_000} s`);
  return undefined;
}

/** Reads what is there, trying again while the service cannot answer. */
export async function read<T>(client: Client, route: string, schema: z.ZodType<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const answer = await call(client, route);
    if (answer?.status === 200) return schema.parse(JSON.parse(answer.body));
    await sleep(PAUSE_MS);
  }
  throw new Error(`${route} could not be read`);
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One call. A service that is away or being killed gives no answer; one that cannot do it now says 503, and until when. */
async function call(
  client: Client,
  route: string,
  init: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer | undefined> {
  const { url, token, answers, faults } = client;
  try {
    const response = await fetch(`${url}${route}`, {
      ...init,
      headers: { ...init.headers, Authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    const { status } = response;
    const body = await response.text();
    answers.set(status, (answers.get(status) ?? 0) + 1);
    const isFine =
      status === 200 || status === 201 || (status === 503 && response.headers.has('retry-after'));
    if (!isFine) faults.push(`${init.method ?? 'GET'} was answered with ${status}: ${body.slice(0, 300)}`);
    return { status, body };
  } catch {
    answers.set(0, (answers.get(0) ?? 0) + 1);
    return undefined;
  }
}
