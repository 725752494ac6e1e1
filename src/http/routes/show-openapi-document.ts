import { z } from 'zod';
import { jsonAnswer, publicRoute } from '../route.ts';

const document = z.looseObject({
  openapi: z.string(),
  info: z.looseObject({}),
  paths: z.looseObject({}),
});

/** The API's own description. */
export const showOpenApiDocument = publicRoute({
  method: 'get',
  path: '/openapi.json',
  scope: null,
  operationId: 'showOpenApiDocument',
  tag: 'service',
  summary: 'This document',
  answers: { 200: jsonAnswer('The OpenAPI document.', document) },
  handle: ({ openApiDocument }) => ({ status: 200, json: openApiDocument() }),
});
