import type { Response } from 'express';
import type { Answer } from './shapes.ts';

/** Writes an answer as a whole. An answer with neither `json` nor `text` has no body and no content type. */
export function writeAnswer(response: Response, { status, json, text, headers }: Answer): void {
  // The client may be gone, or a fault may have cut the socket.
  if (response.destroyed || response.headersSent) return;
  const body = json === undefined ? (text ?? '') : JSON.stringify(json);
  response.writeHead(status, {
    ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
