import { isReady, type Readiness } from '../readiness.ts';
import { answerJson, type PublicRoute } from '../route.ts';

/** A probe that hangs is no answer; probers give up after some seconds themselves. */
const PATIENCE_MS = 4_000;

/** Whether requests can be taken in (200 or 503), with every part and since when. */
export function showReadiness(readiness: () => Promise<Readiness>): PublicRoute {
  return {
    method: 'get',
    path: '/readyz',
    scope: null,
    handle: async ({ res }) => {
      const seen = await withinPatience(readiness);
      const ready = isReady(seen);
      const answer = { status: ready ? 'ready' : 'not_ready', parts: seen.parts };
      answerJson(res, ready ? 200 : 503, JSON.stringify(answer));
    },
  };
}

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
