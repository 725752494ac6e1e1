import { z } from 'zod';

const task = z.object({
  state: z.string(),
  reported: z.string().nullable(),
  rounds: z.array(z.object({ jobId: z.string().nullable(), reported: z.string().nullable() })),
  verification: z
    .object({
      user: z.string(),
      sessions: z.string(),
      live: z.string(),
      sessionsFound: z.number().nullable(),
    })
    .nullable(),
  unroutable: z.object({ reason: z.string() }).nullable(),
  storageCheckNeeded: z.boolean(),
});
const request = z.object({
  id: z.string(),
  state: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
  tasks: z.array(task),
  waiting: z.object({ reason: z.string(), actsNext: z.string(), explanation: z.string() }).nullable(),
});
/** A request as Lethe's API shows it: the part of it that the demo reads. */
export type ShownRequest = z.infer<typeof request>;

/** Talks to Lethe as any client would: over HTTP, with an API key. */
export class DemoClient {
  private readonly baseUrl: string;
  private readonly key: string;

  constructor(baseUrl: string, key: string) {
    this.baseUrl = baseUrl;
    this.key = key;
  }

  /** Sends an erasure request and gives its id. Throws with the answer when it is not accepted. */
  async submit(body: object, idempotencyKey: string): Promise<string> {
    const answer = await this.call('/v1/erasure-requests', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify(body),
    });
    return request.parse(answer).id;
  }

  /** All requests, at most 200. */
  async list(): Promise<readonly ShownRequest[]> {
    const answer = await this.call('/v1/erasure-requests?limit=200', {});
    return z.object({ items: z.array(request) }).parse(answer).items;
  }

  private async call(path: string, init: RequestInit): Promise<unknown> {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${this.key}`);
    const response = await fetch(`${this.baseUrl}${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(10_000),
    });
    const body: unknown = await response.json();
    if (!response.ok)
      throw new Error(`${init.method ?? 'GET'} answered ${response.status}: ${JSON.stringify(body)}`);
    return body;
  }
}
