import { fileURLToPath } from 'node:url';
import { constants, Script } from 'node:vm';
import type * as OpenApiBackend from 'openapi-backend';
import type { Document } from 'openapi-backend';
import { z } from 'zod';

/**
 * openapi-backend is CommonJS and requires an ES module. Node 20.19 and later allow that, the module loader of Jest
 * does not, so the package is imported by node's own.
 */
export async function importOpenApiBackend(): Promise<typeof OpenApiBackend> {
  const script = new Script("import('openapi-backend')", {
    filename: fileURLToPath(import.meta.url),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const loaded: unknown = await script.runInThisContext();
  return z.custom<typeof OpenApiBackend>().parse(loaded);
}

/** A parsed document for openapi-backend, which checks itself what it can. */
export function definitionOf(document: unknown): Document {
  return z.custom<Document>().parse(document);
}

/** Errors of its validator, one text each. */
export function textOf(
  errors: readonly { instancePath: string; message?: string | undefined }[] | null | undefined,
): string[] {
  return (errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? 'is wrong'}`);
}
