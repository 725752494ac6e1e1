import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import got, { RequestError } from 'got';
import type { Got, Request } from 'got';
import type { CallFailure } from '../domain/openreplay.ts';
import { AnswerBody } from './answer-body.ts';

/** One call, ready to be put on the wire: `path` is encoded already and starts with a slash. */
export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** JSON text; only a POST has one. */
  readonly body?: string;
}

/** An answer that came whole, or a status whose body was cut off by us at the cap. */
export interface TransportAnswer {
  readonly status: number;
  /** The header `Retry-After` as it came. */
  readonly retryAfter: string | undefined;
  /** `undefined` when the body was over the cap or is not UTF-8. */
  readonly text: string | undefined;
}

/** Carries a call to the server, once. Never throws and never rejects. */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer | CallFailure>;

export interface TransportOptions {
  /** Without a trailing slash; the path of a request is put behind it. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** For each step on the way to a standing connection: name lookup, TCP, TLS. */
  readonly connectTimeoutMs: number;
  /** For the time from the request sent to the head of the answer; see `createGotTransport` for the whole. */
  readonly responseTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly maxSockets: number;
  /** Told the header `Date` of each answer, as it came: the server's clock. */
  readonly onDate?: (date: string) => void;
}

/** Proxies close idle connections after 60 s or so: letting go earlier makes a cut at reuse rare. */
const IDLE_SOCKET_MS = 30_000;

type Settle = (result: TransportAnswer | CallFailure) => void;

/**
 * The transport on got, with connections of its own that `close` destroys. A call takes at most
 * `connectTimeoutMs + responseTimeoutMs` in all, however slowly the bytes come in. Nothing is sent twice:
 * no retry, no redirect; a kept connection that turns out to be closed ends the call.
 */
export function createGotTransport(options: TransportOptions): { send: Transport; close: () => void } {
  const secure = options.baseUrl.startsWith('https:');
  const agent = createAgent(secure, options.maxSockets);
  const clients = createClients(options, agent);
  const hasConnected = connectionWatch(secure ? 'secureConnect' : 'connect');
  const send: Transport = (request) =>
    new Promise((resolve) => {
      const call = startCall(clients, `${options.baseUrl}${request.path}`, request);
      const connected = hasConnected(call);
      const settle: Settle = (result) => {
        clearTimeout(deadline);
        resolve(result);
      };
      // Ours and not got's, which never ends a call that was answered with 101.
      const deadline = setTimeout(() => {
        settle(failureOf('timeout', connected()));
        call.destroy();
      }, options.connectTimeoutMs + options.responseTimeoutMs);
      call.on('error', (error) => {
        settle(failureOf(reasonOf(error), connected()));
      });
      // A call that ends with neither an answer nor an error says no more than this.
      call.on('close', () => {
        settle(failureOf('reset', connected()));
      });
      call.once('response', ({ headers: { date } }: http.IncomingMessage) => {
        if (date !== undefined) options.onDate?.(date);
      });
      collectAnswer(call, options.maxBodyBytes, settle);
    });
  return {
    send,
    close: () => {
      agent.destroy();
    },
  };
}

function startCall(clients: Clients, url: string, { method, body }: TransportRequest): Request {
  if (body !== undefined) return clients.json.stream(url, { method, body });
  const call = clients.plain.stream(url, { method });
  // got waits for a body to be piped in on every method but GET unless it is told that there is none.
  if (method !== 'GET') call.end();
  return call;
}

function createAgent(secure: boolean, maxSockets: number): http.Agent | https.Agent {
  const settings = { keepAlive: true, maxSockets, maxFreeSockets: maxSockets, timeout: IDLE_SOCKET_MS };
  return secure ? new https.Agent(settings) : new http.Agent(settings);
}

type Clients = Readonly<Record<'plain' | 'json', Got>>;

function createClients(options: TransportOptions, agent: http.Agent | https.Agent): Clients {
  const { connectTimeoutMs, responseTimeoutMs } = options;
  const plain = got.extend({
    agent: agent instanceof https.Agent ? { https: agent } : { http: agent },
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    // Compressed bytes could unfold past the cap, so none are asked for and none are unfolded.
    decompress: false,
    headers: {
      authorization: `Bearer ${options.apiKey}`,
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'lethe',
    },
    timeout: {
      lookup: connectTimeoutMs,
      connect: connectTimeoutMs,
      secureConnect: connectTimeoutMs,
      response: responseTimeoutMs,
    },
  });
  return { plain, json: plain.extend({ headers: { 'content-type': 'application/json' } }) };
}

/**
 * Tells for each call whether it had a standing connection: without one nothing was sent. Kept connections are
 * remembered, since they announce themselves only once.
 */
function connectionWatch(readyEvent: 'connect' | 'secureConnect'): (call: Request) => () => boolean {
  const ready = new WeakSet<Socket>();
  return (call) => {
    let used: Socket | undefined;
    call.once('request', (request: http.ClientRequest) => {
      request.once('socket', (socket) => {
        used = socket;
        if (!ready.has(socket)) socket.once(readyEvent, () => ready.add(socket));
      });
    });
    return () => used !== undefined && ready.has(used);
  };
}

function collectAnswer(call: Request, maxBodyBytes: number, settle: Settle): void {
  call.once('response', (response: http.IncomingMessage) => {
    const status = response.statusCode ?? 0;
    const retryAfter = response.headers['retry-after'];
    const body = new AnswerBody(maxBodyBytes);
    call.on('data', (chunk: Buffer) => {
      if (body.add(chunk)) return;
      settle({ status, retryAfter, text: undefined });
      call.destroy();
    });
    call.once('end', () => {
      settle({ status, retryAfter, text: body.text() });
    });
  });
  // Nobody asked for another protocol: the connection is given up, and the call ends without an answer.
  call.once('upgrade', (_response: http.IncomingMessage, socket: Socket) => {
    socket.destroy();
    call.destroy();
  });
}

type NoAnswerReason = Extract<CallFailure, { kind: 'no_answer' }>['reason'];

/** Only the code of an error is looked at: its message, options and request hold the URL, so the user id. */
function reasonOf(error: Error): NoAnswerReason {
  return error instanceof RequestError && error.code === 'ETIMEDOUT' ? 'timeout' : 'reset';
}

function failureOf(reason: NoAnswerReason, connected: boolean): CallFailure {
  return connected ? { kind: 'no_answer', reason } : { kind: 'unreachable' };
}
