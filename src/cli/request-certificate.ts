import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
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
      .action(actOverApi(shell, options, certificate)),
    [`requests certificate ${SOME_ID} --out certificate.json`, 'verify certificate.json --key "$(cat vkey)"'],
  );
}

const options = z.object({ out: z.string().min(1, 'the name of a file').optional() });
const answer = z.looseObject({ certificate: z.looseObject({ number: z.string() }) });

async function certificate(given: GivenApi<z.output<typeof options>>): Promise<ExitStatus> {
  const { io, output, args } = given;
  const path = `/v1/erasure-requests/${encodeURIComponent(args[0] ?? '')}/certificate`;
  const body = understood(answer, await given.api.ask({ method: 'GET', path }));
  const text = JSON.stringify(body, null, 2);
  if (given.options.out === undefined) {
    output.value(body, () => text);
    return EXIT.ok;
  }
  const target = resolve(io.cwd, given.options.out);
  await writeFile(target, `${text}\n`, { mode: 0o600 }).catch((cause: unknown) => {
    throw commandError('USAGE_INVALID', `--out: ${target} cannot be written`, cause);
  });
  output.value({ file: target }, () => target);
  return EXIT.ok;
}
