import type { Request, Response } from 'express';
import type { Scope } from '../app/authenticate.ts';
import type { ApiKey } from '../app/ports/keys.ts';

export interface Exchange {
  readonly req: Request;
  readonly res: Response;
}

export interface KeyedExchange extends Exchange {
  readonly apiKey: ApiKey;
  /** That of `apiKey`. */
  readonly apiKeyId: string;
}

/** A route that anybody may call. */
export interface PublicRoute {
  readonly method: 'get' | 'post';
  /** As Express writes it: `/v1/erasure-requests/:id`. */
  readonly path: string;
  readonly scope: null;
  handle(exchange: Exchange): Promise<void> | void;
}

/** A route that needs an API key with a scope. */
export interface KeyedRoute {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly scope: Scope;
  handle(exchange: KeyedExchange): Promise<void>;
}

export type Route = PublicRoute | KeyedRoute;

/** Answers with JSON that is already text, so that what is stored canonically is sent byte for byte. */
export function answerJson(res: Response, status: number, text: string): void {
  res.status(status).type('application/json').send(text);
}
