import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import got, { RequestError } from 'got';
import type { Got, Request } from 'got';
import type { OutgoingCall, RefusedTarget, Sender, SendOutcome } from '../app/ports/notify.ts';
import { networkOf, type Network } from './address.ts';
import { AnswerText } from './answer-text.ts';
import { ADDRESS_NOT_ALLOWED, guardedLookup, systemResolver, type ResolveAll } from './guarded-lookup.ts';
import { judgeTarget, type Target, type TargetRules } from './target.ts';

export interface SenderOptions extends Omit<TargetRules, 'networks'> {
  /** As in TargetRules, each as CIDR. */
  readonly networks: readonly string[];
  /** For each step on the way to a standing connection: name lookup, TCP, TLS. */
  readonly connectTimeoutMs: number;
  /** From the request sent to the head of the answer. A call takes at most both times together. */
  readonly responseTimeoutMs: number;
  /** More of an answer is not read. */
  readonly maxAnswerBytes: number;
  /** The system's, unless a test has its own. */
  readonly resolve?: ResolveAll;
}

type Settle = (outcome: SendOutcome) => void;

/**
 * Sends to servers that people outside name. Each call opens a connection of its own, to an address that was judged when it
 * was looked up for that connection; nothing is sent twice, no redirect is followed, and no error leaves.
 *
 * @throws Error for a network that is none; the configuration was checked before
 */
export function createSender(options: SenderOptions): Sender {
  const networks = options.networks.map(networkOf);
  const rules: TargetRules = { ...options, networks };
  const client = createClient(options, networks);
  return {
    refusalOf: (url) => refusalOf(judgeTarget(url, rules)),
    send: async (call) => {
      const target = judgeTarget(call.url, rules);
      if (typeof target === 'string') return { kind: 'refused', reason: target };
      return sendTo(client, { target, call, options });
    },
  };
}

function refusalOf(judged: Target | RefusedTarget): RefusedTarget | undefined {
  return typeof judged === 'string' ? judged : undefined;
}

function createClient(options: SenderOptions, networks: readonly Network[]): Got {
  const { connectTimeoutMs, responseTimeoutMs } = options;
  return got.extend({
    // A kept connection would be used without a lookup.
    agent: {
      http: new http.Agent({ keepAlive: false }),
      https: new https.Agent({ keepAlive: false, maxCachedSessions: 0 }),
    },
    dnsLookup: guardedLookup(options.resolve ?? systemResolver, networks),
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    // Compressed bytes could unfold past the cap, so none are asked for and none are unfolded.
    decompress: false,
    headers: { 'accept-encoding': 'identity', 'user-agent': 'lethe' },
    timeout: {
      lookup: connectTimeoutMs,
      connect: connectTimeoutMs,
      secureConnect: connectTimeoutMs,
      response: responseTimeoutMs,
    },
  });
}

interface Sending {
  readonly target: Target;
  readonly call: OutgoingCall;
  readonly options: SenderOptions;
}

function sendTo(client: Got, { target, call, options }: Sending): Promise<SendOutcome> {
  return new Promise((resolve) => {
    const request = start(client, target, call);
    const connected = watchConnection(request, target.secure ? 'secureConnect' : 'connect');
    const settle: Settle = (outcome) => {
      clearTimeout(deadline);
      resolve(outcome);
    };
    // Ours and not got's, which never ends a call that was answered with 101.
    const deadline = setTimeout(() => {
      settle(failureOf('timeout', connected()));
      request.destroy();
    }, options.connectTimeoutMs + options.responseTimeoutMs);
    request.on('error', (error) => {
      settle(outcomeOf(error, connected()));
    });
    request.on('close', () => {
      settle(failureOf('reset', connected()));
    });
    collectAnswer(request, options.maxAnswerBytes, settle);
  });
}

function start(client: Got, { url }: Target, { method, headers = {}, body }: OutgoingCall): Request {
  if (body !== undefined) return client.stream(url, { method, headers: { ...headers }, body });
  const request = client.stream(url, { method, headers: { ...headers } });
  // got waits for a body to be piped in on every method but GET unless it is told that there is none.
  if (method !== 'GET') request.end();
  return request;
}

/** Tells whether a connection stood: without one nothing was sent. */
function watchConnection(request: Request, readyEvent: 'connect' | 'secureConnect'): () => boolean {
  let stands = false;
  request.once('request', (sent: http.ClientRequest) => {
    sent.once('socket', (socket: Socket) => {
      socket.once(readyEvent, () => {
        stands = true;
      });
    });
  });
  return () => stands;
}

function collectAnswer(request: Request, maxBytes: number, settle: Settle): void {
  request.once('response', (response: http.IncomingMessage) => {
    const answer = new AnswerText(maxBytes);
    const finish = () => {
      const { statusCode: status = 0, headers } = response;
      settle({ kind: 'answered', status, retryAfter: headers['retry-after'], text: answer.text() });
    };
    request.on('data', (chunk: Buffer) => {
      if (answer.add(chunk)) return;
      finish();
      request.destroy();
    });
    request.once('end', finish);
  });
  request.once('upgrade', (_response: http.IncomingMessage, socket: Socket) => {
    socket.destroy();
    request.destroy();
  });
}

/** Only the code of an error is looked at: its message, options and request hold the URL. */
function outcomeOf(error: Error, connected: boolean): SendOutcome {
  const code = error instanceof RequestError ? error.code : undefined;
  if (code === ADDRESS_NOT_ALLOWED) return { kind: 'refused', reason: 'address_not_allowed' };
  return failureOf(code === 'ETIMEDOUT' ? 'timeout' : 'reset', connected);
}

function failureOf(reason: 'timeout' | 'reset', connected: boolean): SendOutcome {
  return connected ? { kind: 'no_answer', reason } : { kind: 'unreachable' };
}
