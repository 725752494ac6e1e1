import { timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Request, Response } from 'express';
import type { CallFault, Faults } from './faults.ts';
import type { Call, World } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import type { OperationId, Phase, RequestHook, RequestInfo } from './options.ts';
import type { ServeCall } from './routes.ts';
import type { Answer } from './shapes.ts';
import { writeAnswer } from './write-answer.ts';

/** What a call touches besides the world. */
export interface CallDesk {
  readonly world: World;
  /** Calls that arrived, by operation. */
  readonly calls: Record<OperationId, number>;
  onRequest: RequestHook | undefined;
  /** Ends waiting (of slow answers) when the sandbox stops. */
  stopping: AbortSignal;
}

/**
 * Takes a call through its three moments: received, carried out, answered. What a fault breaks happens in between;
 * what is never answered is left open until the client gives up or the sandbox stops, and holds nothing but its socket.
 */
export function callServer(desk: CallDesk): ServeCall {
  return async (call, request, response) => {
    const { world } = desk;
    desk.calls[call.operationId] += 1;
    await tell(desk, call, 'received');
    const { fault, slow } = world.draw.forCall(call.operationId);
    if (slow && !(await waited(world.draw.faults.latencyMs, desk.stopping))) return;
    if (fault === 'timeouts') return;
    if (fault === 'cutBefore') {
      request.socket.destroy();
      return;
    }
    const answer = refusalOf(world, call, { fault, request }) ?? OPERATIONS[call.operationId](world, call);
    await tell(desk, call, 'carried_out');
    if (fault === 'timeoutsAfter') return;
    if (fault === 'cutAfterDelete') {
      request.socket.destroy();
      return;
    }
    finish(desk, call, { response, answer });
  };
}

function finish(
  desk: CallDesk,
  call: Call,
  { response, answer }: { response: Response; answer: Answer },
): void {
  response.once('finish', () => {
    // A hook that fails here has no caller left; the rejection is meant to be seen.
    void tell(desk, call, 'answered');
  });
  writeAnswer(response, answer);
}

async function tell({ onRequest }: CallDesk, call: Call, phase: Phase): Promise<void> {
  await onRequest?.(infoOf(call, phase));
}

function infoOf({ operationId, projectKey, userId, jobId }: Call, phase: Phase): RequestInfo {
  return {
    ...{ operationId, phase },
    ...(projectKey === '' ? {} : { projectKey }),
    ...(userId === '' ? {} : { userId }),
    ...(jobId === '' ? {} : { jobId }),
  };
}

/** Whether the time passed; false when the sandbox stopped before, and nobody waits for this call any more. */
async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  return delay(ms, true, { ref: false, signal }).catch(() => false);
}

function refusalOf(
  { settings, shapes, draw }: World,
  call: Call,
  { fault, request }: { fault: CallFault; request: Request },
): Answer | undefined {
  const { operationId } = call;
  if (fault === 'unauthorized' || !carriesToken(request, settings.token)) return shapes.unauthorized();
  if (fault === 'errors500') return shapes.error(operationId, 500, 'something went wrong');
  if (fault === 'htmlErrors') return { status: 500, text: HTML, headers: { 'Content-Type': 'text/html' } };
  if (fault === 'errorsIn200') return { status: 200, json: { errors: ['something went wrong'] } };
  if (fault === 'redirected') return { status: 302, headers: { Location: '/login' } };
  if (fault === 'jobHiccup404') return shapes.error(operationId, 404, 'job not found');
  if (fault === 'rateLimited') {
    const headers = { 'Retry-After': retryAfter(draw.faults) };
    return { ...shapes.error(operationId, 429, 'too many requests'), headers };
  }
  return undefined;
}

const HTML =
  '<html><head><title>500</title></head><body><h1>Internal Server Error</h1><hr>nginx</body></html>\n';

/** Real time, as the client's clock is real too. An HTTP date has whole seconds: it is rounded up. */
function retryAfter({ retryAfterSeconds, retryAfterForm }: Faults): string {
  if (retryAfterForm === 'seconds') return String(retryAfterSeconds);
  return new Date(Math.ceil(Date.now() / 1000 + retryAfterSeconds) * 1000).toUTCString();
}

function carriesToken({ headers: { authorization = '' } }: Request, token: string): boolean {
  const sent = Buffer.from(authorization.replace(/^bearer /i, 'Bearer '));
  const expected = Buffer.from(`Bearer ${token}`);
  return sent.length === expected.length && timingSafeEqual(sent, expected);
}
