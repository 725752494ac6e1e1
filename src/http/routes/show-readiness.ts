import { isReady, readinessView, type Readiness } from '../readiness.ts';
import { jsonAnswer, publicRoute } from '../route.ts';

/** A probe that hangs is no answer; probers give up after some seconds themselves. */
const PATIENCE_MS = 4_000;

/** Whether requests can be taken in (200 or 503), with every part and since when. */
export const showReadiness = publicRoute({
  method: 'get',
  path: '/readyz',
  scope: null,
  operationId: 'showReadiness',
  tag: 'service',
  summary: 'Whether requests can be taken in',
  description: `The database and the queue are needed. A connection whose server is away is shown and does no harm:
requests wait for it.`,
  answers: {
    200: jsonAnswer('They can.', readinessView),
    503: jsonAnswer('They cannot.', readinessView),
  },
  handle: async ({ readiness }) => {
    const seen = await withinPatience(readiness);
    const parts = [...seen.parts];
    return isReady(seen)
      ? { status: 200, body: { status: 'ready' as const, parts } }
      : { status: 503, body: { status: 'not_ready' as const, parts } };
  },
});

async function withinPatience(readiness: () => Promise<Readiness>): Promise<Readiness> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Readiness>((resolve) => {
    timer = setTimeout(() => {
      resolve(unknown('does not answer in time'));
    }, PATIENCE_MS);
  });
  try {
    return await Promise.race([readiness(), late]);
  } catch {
    return unknown('failed');
  } finally {
    clearTimeout(timer);
  }
}

function unknown(detail: string): Readiness {
  return { parts: [{ name: 'probe', ok: false, detail, at: new Date().toISOString() }] };
}
