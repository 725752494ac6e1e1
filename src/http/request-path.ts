import type { Request } from 'express';
import { HttpProblem } from './problem.ts';
import { isRequestId } from './query-schemas.ts';

/** The id in the path. Throws REQUEST_NOT_FOUND when it cannot be an id of ours: then nothing is looked for. */
export function requestIdIn(req: Request): string {
  const { id } = req.params;
  if (!isRequestId(id)) throw notFound();
  return id;
}

/** What was found. Throws REQUEST_NOT_FOUND when nothing was. */
export function found<T>(value: T | undefined): T {
  if (value === undefined) throw notFound();
  return value;
}

function notFound(): HttpProblem {
  return new HttpProblem('REQUEST_NOT_FOUND', 'There is no erasure request with this id.');
}
