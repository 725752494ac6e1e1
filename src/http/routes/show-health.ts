import { answerJson, type PublicRoute } from '../route.ts';

/** The process is alive; says nothing of what it needs. */
export function showHealth(): PublicRoute {
  return {
    method: 'get',
    path: '/healthz',
    scope: null,
    handle: ({ res }) => {
      answerJson(res, 200, '{"status":"alive"}');
    },
  };
}
