import type { z } from 'zod';
import { addressOf } from './api-address.ts';
import { createApiClient, type ApiClient } from './api-client.ts';
import { act, type Given, type Shell } from './command.ts';
import { EXIT, type ExitStatus } from './exit-status.ts';
import { readable } from './output.ts';

export type GivenApi<T> = Given<T> & { readonly api: ApiClient };

/** As `act`, for a command that speaks to Lethe's API. */
export function actOverApi<T>(
  shell: Shell,
  schema: z.ZodType<T>,
  work: (given: GivenApi<T>) => Promise<ExitStatus>,
): ReturnType<typeof act> {
  return act(shell, schema, (given) =>
    work({ ...given, api: createApiClient(addressOf(given.globals, given.io), given.io) }),
  );
}

/** Prints what the API answered: whole as JSON, or as `text` says (as YAML where it says nothing). */
export function answered(
  { output }: Pick<GivenApi<unknown>, 'output'>,
  answer: unknown,
  text: (answer: unknown) => string = readable,
): ExitStatus {
  output.value(answer, text);
  return EXIT.ok;
}
