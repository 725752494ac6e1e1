import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Command } from 'commander';
import { z } from 'zod';
import { understood } from './api-client.ts';
import { examples, type Shell } from './command.ts';
import { commandError, EXIT, type ExitStatus } from './exit-status.ts';
import { actOverApi, type GivenApi } from './over-api.ts';

const SOME_ID = 'er_0192f0c1a2b37c4d8e5f60718293a4b5';

/** `requests certificate`: what shows that a request was carried out. */
export function addCertificate(group: Command, shell: Shell): void {
  examples(
    group
      .command('certificate <id>')
      .description('the certificate of an erasure that was carried out and verified')
      .option('--out <file>', 'writes it to a file, to be handed out')
      .option('--pdf <file>', 'writes it as PDF, to be read and filed; only the JSON is signed')
      .action(actOverApi(shell, options, certificate)),
    [
      `requests certificate ${SOME_ID} --out certificate.json --pdf certificate.pdf`,
      'verify certificate.json --key "$(cat vkey)"',
    ],
  );
}

const fileName = z.string().min(1, 'the name of a file').optional();
const options = z.object({ out: fileName, pdf: fileName });
const answer = z.looseObject({ certificate: z.looseObject({ number: z.string() }) });

type Given = GivenApi<z.output<typeof options>>;

async function certificate(given: Given): Promise<ExitStatus> {
  const { api, output, args } = given;
  const { out, pdf } = given.options;
  const path = `/v1/erasure-requests/${encodeURIComponent(args[0] ?? '')}/certificate`;
  const ask = async () => understood(answer, await api.ask({ method: 'GET', path }));
  if (out === undefined && pdf === undefined) {
    output.value(await ask(), (body) => JSON.stringify(body, null, 2));
    return EXIT.ok;
  }
  const written = {
    ...(out !== undefined && {
      file: await write(given, { option: '--out', file: out }, `${JSON.stringify(await ask(), null, 2)}\n`),
    }),
    ...(pdf !== undefined && {
      pdf: await write(
        given,
        { option: '--pdf', file: pdf },
        await buffer(api.download({ path, query: { format: 'pdf' } })),
      ),
    }),
  };
  output.value(written, () => Object.values(written).join('\n'));
  return EXIT.ok;
}

async function write(
  { io }: Pick<Given, 'io'>,
  to: { option: string; file: string },
  content: string | Uint8Array,
): Promise<string> {
  const target = resolve(io.cwd, to.file);
  await writeFile(target, content, { mode: 0o600 }).catch((cause: unknown) => {
    throw commandError('USAGE_INVALID', `${to.option}: ${target} cannot be written`, cause);
  });
  return target;
}
