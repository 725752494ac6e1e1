import http from 'node:http';
import { setImmediate } from 'node:timers/promises';
import type { Express } from 'express';
import pino from 'pino';
import { z } from 'zod';
import type { Scope } from '../../src/app/authenticate.ts';
import { createApiKey, type KeyWish } from '../../src/app/create-api-key.ts';
import type { Deps } from '../../src/app/ports.ts';
import type { RequestView } from '../../src/app/request-schema.ts';
import type { RateLimit } from '../../src/domain/rate-limit.ts';
import { createHttpApp } from '../../src/http/app.ts';
import type { Readiness } from '../../src/http/readiness.ts';
import { startHttpServer } from '../../src/http/server.ts';
import { loadApiContract, type ApiContract, type Exchange } from './api-contract.ts';
import type { Stage } from './stage.ts';

/** Stands in every user id and every private text that tests send: no answer and no line of the log may hold it. */
export const PERSON = 'jane.roe@example.org';

export interface ApiOptions {
  /** In place of the stage's own. */
  readonly parts?: Partial<Deps>;
  /** Left out, the database is asked, and the queue is well. */
  readonly readiness?: () => Promise<Readiness>;
  /** Left out, no test reaches it. */
  readonly rateLimit?: RateLimit;
  readonly trustProxy?: boolean;
}

/** An API key in the database. */
export interface TestKey {
  readonly id: string;
  readonly token: string;
}

export interface Call {
  /** Left out, a key that may do everything; null for none. */
  readonly key?: TestKey | null;
  /** A list is sent as one header line an item. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Sent as application/json. */
  readonly json?: unknown;
  /** Sent as it is, without a content type. */
  readonly body?: string | Uint8Array;
  /** Without Content-Length. */
  readonly chunked?: boolean;
  /** What the answer may hold, by way of exception. */
  readonly reveals?: 'person' | 'token';
}

/** An answer that docs/openapi.yaml allows and that names nobody. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The very text that was sent. */
  readonly body: string;
}

/** The API over HTTP on the real parts of a stage. */
export interface Api {
  readonly app: Express;
  /** For what `call` cannot read: answers that are no text. */
  readonly port: number;
  readonly contract: ApiContract;
  /** Every line that was logged. */
  readonly log: readonly LogLine[];
  /** The one line that tells how the request with this id was answered. */
  answerLine(requestId: string): Promise<LogLine>;
  addKey(...scopes: readonly [Scope, ...Scope[]]): Promise<TestKey>;
  makeKey(wish: Partial<KeyWish>): Promise<TestKey>;
  /**
   * Sends `target`, such as `GET /healthz`, exactly as it is. Throws when the answer is not as docs/openapi.yaml says,
   * or holds PERSON or a token that it may not reveal.
   */
  call(target: string, call?: Call): Promise<Answer>;
  /** Stops the server, not the stage. Throws when the log holds PERSON or a token. */
  close(): Promise<void>;
}

const logLine = z.looseObject({ level: z.number(), msg: z.string(), reqId: z.string().optional() });
export type LogLine = z.output<typeof logLine>;

export async function openApi(stage: Stage, options: ApiOptions = {}): Promise<Api> {
  const { parts, readiness } = options;
  const contract = await loadApiContract();
  const log: LogLine[] = [];
  // Without the redaction of src/log.ts, which would hide a leak.
  const logger = pino({ level: 'trace' }, { write: (text) => log.push(logLine.parse(JSON.parse(text))) });
  const deps: Deps = { ...stage.deps, log: logger, ...parts };
  const app = createHttpApp({
    deps,
    readiness: readiness ?? (() => databaseReadiness(deps)),
    logger,
    trustProxy: options.trustProxy ?? false,
    rateLimit: options.rateLimit ?? { requests: 1_000_000, perSeconds: 3_600 },
  });
  const server = await startHttpServer({ app, host: '127.0.0.1', port: 0 });
  const agent = new http.Agent({ keepAlive: true });
  const admin = await makeKey(stage, {});
  return {
    app,
    port: server.port,
    contract,
    log,
    answerLine: (requestId) => answerLine(log, requestId),
    addKey: (...scopes) => makeKey(stage, { scopes }),
    makeKey: (wish) => makeKey(stage, wish),
    call: async (target, call = {}) => {
      const exchange = await exchanged({ port: server.port, agent, target }, { key: admin, ...call });
      const errors = [...contract.check(exchange), ...leaksIn(JSON.stringify(exchange.answer), call.reveals)];
      if (errors.length > 0)
        throw new Error(`${target}: ${errors.join('; ')}\n${exchange.answer.body.slice(0, 2_000)}`);
      return exchange.answer;
    },
    close: async () => {
      agent.destroy();
      await server.stop(0);
      const leaks = leaksIn(JSON.stringify(log));
      if (leaks.length > 0) throw new Error(`the log: ${leaks.join('; ')}`);
    },
  };
}

async function databaseReadiness({ store }: Deps): Promise<Readiness> {
  const at = new Date().toISOString();
  const ok = await store.ping().then(
    () => true,
    () => false,
  );
  return {
    parts: [
      { name: 'database', ok, detail: ok ? 'answers' : 'does not answer', at },
      { name: 'queue', ok: true, detail: 'answers', at },
      { name: 'connection default', ok: false, detail: 'was not looked at yet', at: null },
    ],
  };
}

/** In the real store, even where the API has been given another. What is left out is as of an admin key. */
async function makeKey({ deps }: Stage, wish: Partial<KeyWish>): Promise<TestKey> {
  return createApiKey(deps, { name: 'test', scopes: ['admin'], ...wish }, 'local');
}

/** It is written when the answer has been sent, so maybe only after that has arrived. */
async function answerLine(log: readonly LogLine[], requestId: string): Promise<LogLine> {
  for (let turns = 0; turns < 1_000; turns += 1) {
    const lines = log.filter((line) => line.reqId === requestId && 'durationMs' in line);
    if (lines.length > 1) throw new Error(`${requestId} is logged ${lines.length} times`);
    if (lines[0]) return lines[0];
    await setImmediate();
  }
  throw new Error(`${requestId} is not logged`);
}

function leaksIn(text: string, allowed?: Call['reveals']): string[] {
  const errors: string[] = [];
  if (allowed !== 'person' && text.includes('jane.roe')) errors.push('names a person');
  if (allowed !== 'token' && /lethe_[\w-]{43}/.test(text)) errors.push('holds a token');
  return errors;
}

interface Destination {
  readonly port: number;
  readonly agent: http.Agent;
  readonly target: string;
}

/** Over node:http rather than fetch, which adds and joins headers, and changes paths, as it thinks best. */
async function exchanged({ port, agent, target }: Destination, call: Call): Promise<Exchange> {
  const [method = '', path = ''] = target.split(/ (.*)/s);
  const body = call.json === undefined ? call.body : JSON.stringify(call.json);
  const headers = {
    ...(call.key && { authorization: `Bearer ${call.key.token}` }),
    ...(call.json !== undefined && { 'content-type': 'application/json' }),
    ...(call.chunked && { 'transfer-encoding': 'chunked' }),
    ...(body !== undefined && !call.chunked && { 'content-length': String(Buffer.byteLength(body)) }),
    ...call.headers,
  };
  const answer = await new Promise<Answer>((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, agent, method, path });
    for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
    request.once('response', (response) => {
      readAnswer(response).then(resolve, reject);
    });
    request.once('error', reject);
    request.end(body);
  });
  const text = body === undefined ? '' : Buffer.from(body).toString('utf8');
  return { request: { method, path, headers: joined(headers), body: text }, answer };
}

async function readAnswer(response: http.IncomingMessage): Promise<Answer> {
  response.setEncoding('utf8');
  let body = '';
  for await (const chunk of response) body += String(chunk);
  const headers = Object.fromEntries(
    Object.entries(response.headersDistinct).map(([name, values = []]) => [name, values.join(', ')]),
  );
  return { status: response.statusCode ?? 0, headers, body };
}

function joined(
  headers: Readonly<Record<string, string | readonly string[]>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      typeof value === 'string' ? value : value.join(', '),
    ]),
  );
}

/** The request in an answer: `call` has checked that it is one. */
export function viewIn({ body }: Answer): RequestView {
  return z.custom<RequestView>().parse(JSON.parse(body));
}

const problem = z.looseObject({
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  errors: z
    .array(
      z.strictObject({
        pointer: z.string().optional(),
        parameter: z.string().optional(),
        detail: z.string(),
      }),
    )
    .default([]),
});
export type Problem = z.output<typeof problem>;

export function problemIn({ body }: Answer): Problem {
  return problem.parse(JSON.parse(body));
}

/** The places that a problem names: JSON Pointers or query parameters. */
export function placesIn(answer: Answer): string[] {
  return problemIn(answer).errors.map((error) => error.pointer ?? error.parameter ?? 'nowhere');
}
