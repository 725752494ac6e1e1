import type { Command } from 'commander';
import { z } from 'zod';
import { examples, type Shell } from './command.ts';
import { commandError, type ExitStatus } from './exit-status.ts';
import { actOverApi, answered, type GivenApi } from './over-api.ts';
import { readable } from './output.ts';
import { privateText } from './private-text.ts';
import { requestText, shownRequest } from './request-text.ts';
import { atMostOneFromInput } from './request-submission.ts';

/** A command that moves one request: `POST /v1/erasure-requests/{id}/VERB` with the texts that it takes. */
interface Decision {
  readonly verb: string;
  readonly about: string;
  /** Name of the option and of the field in the body; `!` behind it: needed. */
  readonly texts: Readonly<Record<string, string>>;
  readonly example: string;
}

const DECISIONS: readonly Decision[] = [
  { verb: 'cancel', about: 'cancels a request; what was erased stays erased', texts: {}, example: '' },
  {
    verb: 'verify-identity',
    about: 'records that the person is who they say they are',
    texts: { 'method!': 'how that was found out', note: 'a note, kept sealed' },
    example: '--method id_document',
  },
  {
    verb: 'approve',
    about: 'approves a request',
    texts: { note: 'a note, kept sealed' },
    example: '--note checked',
  },
  {
    verb: 'refuse',
    about: 'refuses a request, with the ground and the words that the person is told',
    texts: { 'ground!': 'the legal ground', 'text!': 'what the person is told' },
    example: '--ground manifestly_unfounded --text - < letter.txt',
  },
  {
    verb: 'extend',
    about: 'extends the time to answer, once',
    texts: { 'reason!': 'why it takes longer' },
    example: '--reason "many systems"',
  },
  {
    verb: 'hold',
    about: 'stops a request for a legal hold',
    texts: { 'reason!': 'why its data must be kept' },
    example: '--reason "litigation 4711"',
  },
  {
    verb: 'release',
    about: 'lets a request go on after a hold',
    texts: { 'reason!': 'why it may go on' },
    example: '--reason "litigation settled"',
  },
  {
    verb: 'retry',
    about: 'tries again what a person was needed for',
    texts: { reason: 'why it can work now' },
    example: '--reason "server repaired"',
  },
  {
    verb: 'close',
    about: 'closes a request as completed by a decision of a person',
    texts: { 'reason!': 'why it counts as done' },
    example: '--reason "erased by hand, see DSR-17"',
  },
];

const SOME_ID = 'er_0192f0c1a2b37c4d8e5f60718293a4b5';

export function addDecisions(group: Command, shell: Shell): void {
  for (const decision of DECISIONS) {
    const command = group.command(`${decision.verb} <id>`).description(decision.about);
    for (const [name, about] of Object.entries(decision.texts)) {
      const [option, needed] = [name.replace('!', ''), name.endsWith('!')];
      command.option(
        `--${option} <text>`,
        `${about}${needed ? ' (needed)' : ''}; - reads it from standard input`,
      );
    }
    command.action(actOverApi(shell, texts, (given) => decide(given, decision)));
    examples(command, [`requests ${decision.verb} ${SOME_ID} ${decision.example}`.trimEnd()]);
  }
}

const texts = z.record(z.string(), z.unknown());

async function decide(given: GivenApi<z.output<typeof texts>>, decision: Decision): Promise<ExitStatus> {
  const path = `/v1/erasure-requests/${encodeURIComponent(given.args[0] ?? '')}/${decision.verb}`;
  const body = await bodyOf(given, decision);
  const answer = await given.api.ask({ method: 'POST', path, body });
  return answered(given, answer, (raw) => {
    const request = shownRequest.safeParse(raw);
    return request.success ? requestText(request.data, given.output) : readable(raw);
  });
}

async function bodyOf(
  { options, io }: GivenApi<z.output<typeof texts>>,
  { texts: names }: Decision,
): Promise<Record<string, string>> {
  const given = Object.keys(names).map((name) => {
    const option = name.replace('!', '');
    const value = z.string().optional().parse(options[option]);
    if (value === undefined && name.endsWith('!'))
      throw commandError('USAGE_INVALID', `--${option} <text> is needed`);
    return { option, value };
  });
  atMostOneFromInput(given.map(({ value }) => value));
  const body: Record<string, string> = {};
  for (const { option, value } of given) {
    const text = await privateText(option, { value }, io);
    if (text !== undefined) body[option] = text;
  }
  return body;
}
