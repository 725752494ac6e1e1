import type { ConnectionConfig } from '../../config.ts';
import type { CallFailure, RemoteProject } from '../../domain/openreplay.ts';
import { createOpenReplayClient } from '../../openreplay/client.ts';
import { isThisMachine } from '../api-address.ts';
import { fail, ok, warn, type ClockReading, type Finding, type Look } from './finding.ts';

/** Asks an OpenReplay for its projects: that needs the right address and the right key, and changes nothing. */
export async function lookAtConnection(connection: ConnectionConfig, now: () => number): Promise<Look> {
  let clock: ClockReading | undefined;
  const before = now();
  const client = createOpenReplayClient({
    ...connection,
    baseUrl: connection.url,
    maxSockets: 1,
    onDate: (date) => {
      // Its seconds are cut off, so the moment meant is half a second later on average.
      const offsetMs = Date.parse(date) + 500 - (before + now()) / 2;
      const whose = `OpenReplay (${connection.name})`;
      if (!Number.isNaN(offsetMs)) clock = { whose, offsetMs, sameMachine: false };
    },
  });
  try {
    const read = await client.listProjects();
    const finding = read.ok ? judge(connection, read.value) : describe(connection, read.failure);
    return { findings: [finding], clock };
  } finally {
    client.close();
  }
}

function partOf({ name }: ConnectionConfig): string {
  return `connection ${name}`;
}

function judge(connection: ConnectionConfig, projects: readonly RemoteProject[]): Finding {
  const part = partOf(connection);
  const { origin } = new URL(connection.url);
  const keys = new Set(projects.map(({ projectKey }) => projectKey));
  const missing = (connection.projects ?? []).filter((key) => !keys.has(key));
  if (missing.length > 0) {
    return fail(
      part,
      `OpenReplay at ${origin} does not have these projects of the configuration: ${missing.join(', ')}.`,
      'Correct connections[].projects: requests for them wait for a person.',
    );
  }
  if (projects.length === 0)
    return warn(
      part,
      `OpenReplay at ${origin} answers, but its tenant has no project.`,
      'Check that the key is of the right tenant.',
    );
  const allowed =
    connection.projects === undefined ? `all ${keys.size}` : `${connection.projects.length} of ${keys.size}`;
  return ok(part, `OpenReplay answers at ${origin} and takes the key; Lethe may touch ${allowed} projects.`);
}

const BASE_URLS =
  'https://api.openreplay.com/v2 in the cloud, else https://HOST/api/v2 or https://HOST/v2/api';

function describe(connection: ConnectionConfig, failure: CallFailure): Finding {
  const part = partOf(connection);
  const { origin } = new URL(connection.url);
  const say = (saw: string, todo: string) => fail(part, saw, todo);
  switch (failure.kind) {
    case 'unauthorized':
      return say(
        `OpenReplay at ${origin} refuses the API key (401).`,
        'Correct apiKey (OPENREPLAY_API_KEY): OpenReplay shows it under Preferences, Account, Organization API Key. With a right key, look whether its own database is down: it says 401 then, too.',
      );
    case 'unreachable':
      return say(
        `Nothing answers at ${origin}.`,
        `Correct url (OPENREPLAY_URL), or look at the network${isThisMachine(origin) ? '; this address is this very machine' : ''}.`,
      );
    case 'no_answer':
      return say(
        `${origin} takes the connection, but gives no answer (${failure.reason}).`,
        'Look at that server, and whether something stands in between.',
      );
    case 'rate_limited':
      return warn(part, `OpenReplay at ${origin} asks for fewer calls (429) just now.`, 'Look again later.');
    case 'server_error':
      return say(
        `What answers at ${origin} fails (${failure.status}).`,
        'Look at the log of OpenReplay, or of the proxy before it.',
      );
    case 'redirected':
      return say(
        `${origin} redirects (${failure.status}), so the URL is not that of the API.`,
        `Correct url (OPENREPLAY_URL): ${BASE_URLS}.`,
      );
    default:
      return say(
        `Something answers at ${origin}, but it is not OpenReplay's API (${'status' in failure ? failure.status : 404}).`,
        `Correct url (OPENREPLAY_URL): ${BASE_URLS}.`,
      );
  }
}
