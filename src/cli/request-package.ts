import { open, rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { examples, type Shell } from './command.ts';
import { commandError, EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, type GivenApi } from './over-api.ts';

const SOME_ID = 'er_0192f0c1a2b37c4d8e5f60718293a4b5';

/** `requests package`: downloads what was gathered for a subject. */
export function addPackage(group: Command, shell: Shell): void {
  examples(
    group
      .command('package <id>')
      .description('downloads the access package of a request, which can be had once')
      .option('--out <file>', 'where the ZIP archive goes (needed); it must not be there yet')
      .action(actOverApi(shell, options, download)),
    [`requests package ${SOME_ID} --out package.zip`],
  );
}

const fileExpected = 'the name of a file';
const options = z.object({ out: z.string(fileExpected).min(1, fileExpected) });

/**
 * Under another name until all of it is there, so that a file of the name that was given is always whole; readable for its
 * owner alone.
 */
async function download(given: GivenApi<z.output<typeof options>>): Promise<ExitStatus> {
  const { api, io, output, args } = given;
  const target = resolve(io.cwd, given.options.out);
  await requireFree(target);
  const part = `${target}.part`;
  const bytes = await received(part, api.download({ path: pathOf(args[0] ?? '') }));
  await rename(part, target);
  output.value({ file: target, bytes }, () => `${target}: ${bytes} bytes`);
  return EXIT.ok;
}

function pathOf(id: string): string {
  return `/v1/erasure-requests/${encodeURIComponent(id)}/access-package`;
}

/** A package that cannot be written is lost, so that is found out before it is asked for. */
async function requireFree(target: string): Promise<void> {
  const there = await stat(target).then(
    () => true,
    () => false,
  );
  if (there) throw commandError('USAGE_INVALID', `--out: ${target} is there already`);
}

async function received(part: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const file = await open(part, 'w', 0o600).catch((error: unknown) => {
    throw commandError('USAGE_INVALID', `--out: ${part} cannot be written`, error);
  });
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
    await file.sync();
    return bytes;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}
