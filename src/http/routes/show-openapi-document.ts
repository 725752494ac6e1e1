import { answerJson, type PublicRoute } from '../route.ts';

/** The API's own description. */
export function showOpenApiDocument(document: string): PublicRoute {
  return {
    method: 'get',
    path: '/v1/openapi.json',
    scope: null,
    handle: ({ res }) => {
      answerJson(res, 200, document);
    },
  };
}
