import { isUtf8 } from 'node:buffer';
import express, { type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import { parseBody } from './field-errors.ts';
import { HttpProblem, type ProblemCode } from './problem.ts';
import type { Body } from './route.ts';

const MAX_BYTES = 64 * 1024;
const JSON_TYPE = /^application\/json *(; *charset *= *"?utf-8"? *)?$/i;

/**
 * A body of JSON that fits the schema.
 *
 * @param invalid the problem of a body that does not; its `errors` name each field
 * @param options `optional`: without a body, an empty object is parsed
 */
export function jsonBody<B>(
  schema: z.ZodType<B>,
  invalid: ProblemCode,
  options: { readonly optional?: true } = {},
): Body<B> {
  const read = options.optional ? readOptionalJsonBody : readJsonBody;
  return {
    required: !options.optional,
    content: { 'application/json': schema },
    problems: ['BODY_MALFORMED', 'BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED', invalid],
    read: async (req, res) => parseBody(schema, await read(req, res), invalid),
  };
}

/** Reads whatever comes: the content type was checked before. Primitives are let through to be named by the schema. */
const parse: RequestHandler = express.json({
  limit: MAX_BYTES,
  inflate: false,
  strict: false,
  type: () => true,
  // A decoder would put replacement characters for wrong bytes, and so silently make another identifier.
  verify: (_req, _res, bytes) => {
    if (bytes.length === 0 || !isUtf8(bytes)) throw new Error('not UTF-8');
  },
});

/**
 * The body's JSON value.
 *
 * @throws HttpProblem MEDIA_TYPE_UNSUPPORTED or BODY_MALFORMED; errors of the body parser, which problemOf knows
 */
async function readJsonBody(req: Request, res: Response): Promise<unknown> {
  if (!JSON_TYPE.test(req.headers['content-type'] ?? '')) {
    throw new HttpProblem('MEDIA_TYPE_UNSUPPORTED', 'Expected a body of the type application/json.');
  }
  await new Promise<void>((resolve, reject) => {
    parse(req, res, (error?: unknown) => {
      if (error === undefined) resolve();
      else reject(error instanceof Error ? error : new Error('the body was not read'));
    });
  });
  const body: unknown = req.body;
  if (body === undefined) throw new HttpProblem('BODY_MALFORMED', 'The body is missing; expected JSON.');
  return body;
}

/** The body's JSON value where there is a body, else an empty object. Throws as readJsonBody does. */
async function readOptionalJsonBody(req: Request, res: Response): Promise<unknown> {
  const { 'content-length': length = '0', 'transfer-encoding': chunked } = req.headers;
  if (chunked === undefined && length === '0') return {};
  return readJsonBody(req, res);
}
