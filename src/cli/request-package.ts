import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { examples, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, type GivenApi } from './over-api.ts';
import { receiveFile, requireFree } from './received-file.ts';

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

async function download(given: GivenApi<z.output<typeof options>>): Promise<ExitStatus> {
  const { api, io, output, args } = given;
  const target = resolve(io.cwd, given.options.out);
  // A package that cannot be written is lost.
  await requireFree(target);
  const bytes = await receiveFile(target, api.download({ path: pathOf(args[0] ?? '') }));
  output.value({ file: target, bytes }, () => `${target}: ${bytes} bytes`);
  return EXIT.ok;
}

function pathOf(id: string): string {
  return `/v1/erasure-requests/${encodeURIComponent(id)}/access-package`;
}
