import http from 'node:http';
import { promisify } from 'node:util';
import { fromBuffer, type Entry, type ZipFile } from 'yauzl';
import { beginDownload } from '../../src/app/download-package.ts';
import { submitRequest } from '../../src/app/submit-request.ts';
import { verifyIdentity } from '../../src/app/verify-identity.ts';
import type { RequestType } from '../../src/domain/request.ts';
import type { SessionRecord } from '../../src/sandbox/state.ts';
import type { TestKey } from './api.ts';
import { PROJECT, type Stage } from './stage.ts';

const openZip = promisify<Buffer, { lazyEntries: true }, ZipFile>(fromBuffer);

/** The files of a ZIP archive by name, in its order; read by another library than the one that writes. */
export async function unzipped(archive: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  const zip = await openZip(archive, { lazyEntries: true });
  const files = new Map<string, Buffer>();
  return new Promise((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      zip.openReadStream(entry, (error, stream) => {
        if (error) {
          reject(error);
          return;
        }
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('error', reject);
        stream.on('end', () => {
          files.set(entry.fileName, Buffer.concat(chunks));
          zip.readEntry();
        });
      });
    });
    zip.on('end', () => {
      resolve(files);
    });
    zip.on('error', reject);
    zip.readEntry();
  });
}

/** The JSON values of a file, one a line. */
export function linesOf(file: Buffer | undefined): unknown[] {
  return (file?.toString('utf8') ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));
}

/** Adds a user with so many sessions of so many events each. */
export function addPerson(
  { sandbox }: Stage,
  of: { userId: string; sessions: number; eventsCount: number; projectKey?: string },
): readonly SessionRecord[] {
  const { userId, sessions, eventsCount, projectKey = PROJECT } = of;
  sandbox.addUser({ projectKey, userId, email: `${userId}@example.org`, sessions: 0 });
  const start = Date.now() - (sessions + 2) * 3_600_000;
  return Array.from({ length: sessions }, (_, n) =>
    sandbox.addSession({ projectKey, userId, startTs: start + n * 3_600_000, eventsCount }),
  );
}

/** Asks for a subject's data, or for it and their erasure, and says who asks. */
export async function ask(
  { deps, apiKeyId }: Stage,
  of: { userId: string; type: RequestType; projectKeys?: readonly string[]; identified?: boolean },
): Promise<string> {
  const { userId, type, projectKeys = [PROJECT], identified = true } = of;
  const { requestId } = await submitRequest(
    deps,
    { type, subject: { userId }, projectKeys },
    { apiKeyId, idempotencyKey: undefined, channel: 'api' },
  );
  if (identified) await verifyIdentity(deps, { requestId, apiKeyId, method: 'document' });
  return requestId;
}

/** What is in a package, by the use case; it stays there to be had. */
export async function packageOf({ deps, apiKeyId }: Stage, requestId: string) {
  const download = await beginDownload(deps, { requestId, apiKeyId });
  const files = new Map<string, Buffer>();
  for (const { name, pieces } of download.files) {
    const chunks: Uint8Array[] = [];
    for await (const piece of pieces()) chunks.push(piece);
    files.set(name, Buffer.concat(chunks));
  }
  await download.broken();
  return files;
}

export interface Download {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly bytes: Buffer;
}

/** Downloads as a client would: an answer without its end is an error. */
export async function download(
  port: number,
  path: string,
  { key, method = 'GET' }: { key: TestKey; method?: 'GET' | 'HEAD' },
): Promise<Download> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key.token}` };
    http
      .request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes: Buffer.concat(chunks),
          });
        });
      })
      .on('error', reject)
      .end();
  });
}
