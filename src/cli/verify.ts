import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseVerifierKey } from '../evidence/signed-note.ts';
import { verifyCertificate, type Verdict } from '../evidence/verify-certificate.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';

/**
 * `lethe-verify FILE --key VKEY [--checkpoint FILE] [--json]`: checks what Lethe hands out. It needs no network, no database, no
 * configuration and no package beside Node, so that whoever distrusts Lethe can read all of it.
 *
 * @returns 0 when it holds, 1 when it does not, 2 when it was called wrongly
 */
export function runVerify(
  argv: readonly string[],
  io: { write: (text: string) => void; complain: (text: string) => void },
): ExitStatus {
  const given = parse(argv);
  if (typeof given === 'string') {
    io.complain(`${given}\n\n${USAGE}\n`);
    return EXIT.usage;
  }
  let verdict: Verdict;
  try {
    verdict = verifyCertificate(readFileSync(given.file, 'utf8'), {
      key: parseVerifierKey(given.key),
      ...(given.checkpoint !== undefined && { published: readFileSync(given.checkpoint, 'utf8') }),
    });
  } catch (error) {
    io.complain(`lethe-verify: ${error instanceof Error ? error.message : 'failed'}\n`);
    return EXIT.usage;
  }
  io.write(given.json ? `${JSON.stringify(verdict)}\n` : textOf(verdict));
  return verdict.wrong.length === 0 ? EXIT.ok : EXIT.failed;
}

const USAGE = `Usage: lethe-verify FILE --key VKEY [--checkpoint FILE] [--json]

Checks a certificate of erasure offline.
  FILE               the certificate, as JSON
  --key VKEY         the log's verifier key, as it was handed out: NAME+ID+KEY
  --checkpoint FILE  checkpoints that were published
  --json             the verdict as JSON`;

interface CalledWith {
  readonly file: string;
  readonly key: string;
  readonly checkpoint: string | undefined;
  readonly json: boolean;
}

/** What it was called with, or what is wrong with it. */
function parse(argv: readonly string[]): CalledWith | string {
  let given;
  try {
    given = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return error instanceof Error ? error.message : 'It was called wrongly.';
  }
  const { key, checkpoint, json = false } = given.values;
  const [file, ...more] = given.positionals;
  if (file === undefined || more.length > 0) return 'One file is checked at a time.';
  if (key === undefined) return '--key is needed: without it anybody could have signed.';
  return { file, key, checkpoint, json };
}

const OPTIONS = {
  key: { type: 'string' },
  checkpoint: { type: 'string' },
  json: { type: 'boolean' },
} as const;

function textOf({ what, checked, wrong, fingerprint }: Verdict): string {
  const lines = [
    ...checked.map((one) => `holds  ${one}`),
    ...wrong.map((one) => `WRONG  ${one}`),
    ...(fingerprint === undefined ? [] : [`Fingerprint: ${fingerprint}`]),
  ];
  return `${lines.join('\n')}\n${wrong.length === 0 ? `The ${what} holds.` : `The ${what} does NOT hold.`}\n`;
}
