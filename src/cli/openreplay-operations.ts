import type { EventsQuery, OpenReplay, Outcome, Platform, WindowQuery } from '../domain/openreplay.ts';

/** What an operation may be told, checked already. */
export interface Arguments {
  readonly project?: string | undefined;
  readonly userId?: string | undefined;
  readonly job?: string | undefined;
  readonly session?: string | undefined;
  readonly name?: string | undefined;
  readonly platform?: Platform | undefined;
  readonly query?: string | undefined;
  readonly from: number;
  readonly to: number;
  readonly limit: number;
  readonly page: number;
  readonly sortOrder?: 'asc' | 'desc' | undefined;
  readonly sortBy?: string | undefined;
  readonly column?: readonly string[] | undefined;
  readonly filter?: readonly Readonly<Record<string, unknown>>[] | undefined;
}
/** Names of options, as they stand in `Arguments`. */
type Told = keyof Arguments;

export interface Operation {
  readonly about: string;
  /** Options without which it cannot be called. */
  readonly needs: readonly Told[];
  readonly takes?: readonly Told[];
  /** It changes something there, which only a person may want: asks for --yes, with this reason. */
  readonly danger?: string;
  call(api: OpenReplay, given: Arguments): Promise<Outcome<unknown>>;
}

const PAGE = ['limit', 'page'] as const;
const WINDOW = ['from', 'to', ...PAGE, 'sortOrder', 'filter'] as const;

function windowOf({ from, to, limit, page, sortOrder, filter }: Arguments): WindowQuery {
  return {
    ...{ startTimestamp: from, endTimestamp: to, limit, page },
    ...(sortOrder && { sortOrder }),
    ...(filter && { filters: filter }),
  };
}

function eventsOf(given: Arguments): EventsQuery {
  const { sortBy, column } = given;
  return {
    ...windowOf(given),
    ...(sortBy !== undefined && { sortBy }),
    ...(column && { columns: column }),
  };
}

/** `needs` is checked before a call, so an option that is missing here was never needed. */
function text(value: string | undefined): string {
  return value ?? '';
}

const projectOf = ({ project }: Arguments) => text(project);
const userOf = (given: Arguments) => ({ projectKey: projectOf(given), userId: text(given.userId) });
const jobOf = (given: Arguments) => ({ projectKey: projectOf(given), jobId: text(given.job) });

/** The 13 operations of OpenReplay's API, by the names that its contract gives them. */
export const OPERATIONS = {
  listProjects: {
    about: "the tenant's projects",
    needs: [],
    call: (api) => api.listProjects(),
  },
  createProject: {
    about: 'creates a project',
    needs: ['name'],
    takes: ['platform'],
    danger: 'a project cannot be deleted again over the API',
    call: (api, { name, platform }) => api.createProject({ name: text(name), ...(platform && { platform }) }),
  },
  getProject: {
    about: 'one project',
    needs: ['project'],
    call: (api, given) => api.getProject(projectOf(given)),
  },
  searchUsers: {
    about: 'users that match a text (real servers: anywhere in id, e-mail or name) or filters',
    needs: ['project'],
    takes: ['query', 'filter', ...PAGE],
    call: (api, given) => {
      const { query, filter, limit, page } = given;
      const asked = {
        limit,
        page,
        ...(query !== undefined && { query }),
        ...(filter && { filters: filter }),
      };
      return api.searchUsers(projectOf(given), asked);
    },
  },
  getUser: {
    about: 'what is known of one user',
    needs: ['project', 'userId'],
    call: (api, given) => api.getUser(userOf(given)),
  },
  deleteUser: {
    about: 'schedules the deletion of a user, past Lethe: no request, no evidence, no verification',
    needs: ['project', 'userId'],
    danger:
      'it deletes the user with all sessions, and Lethe keeps no record of it; `lethe requests create` does',
    call: (api, given) => api.deleteUser(userOf(given)),
  },
  listUserSessions: {
    about: 'recorded sessions of a user',
    needs: ['project', 'userId'],
    takes: WINDOW,
    call: (api, given) => api.listUserSessions(userOf(given), windowOf(given)),
  },
  listSessionEvents: {
    about: 'events of a recorded session',
    needs: ['project', 'session'],
    takes: [...WINDOW, 'sortBy', 'column'],
    call: (api, given) =>
      api.listSessionEvents(
        { projectKey: projectOf(given), sessionId: text(given.session) },
        eventsOf(given),
      ),
  },
  listJobs: {
    about: 'jobs of a project, finished ones too',
    needs: ['project'],
    takes: PAGE,
    call: (api, given) => api.listJobs(projectOf(given), { limit: given.limit, page: given.page }),
  },
  getJob: {
    about: 'one job',
    needs: ['project', 'job'],
    call: (api, given) => api.getJob(jobOf(given)),
  },
  cancelJob: {
    about: 'cancels a job; where it is one of Lethe, Lethe will ask for it again',
    needs: ['project', 'job'],
    danger:
      'a deletion that somebody asked for is then not carried out; `lethe requests cancel` tells Lethe, too',
    call: (api, given) => api.cancelJob(jobOf(given)),
  },
  listLiveSessions: {
    about: 'live sessions of a project, or of one user there (Enterprise Edition)',
    needs: ['project'],
    takes: ['userId'],
    call: (api, given) => api.listLiveSessions(projectOf(given), given.userId),
  },
  searchLiveSessions: {
    about: 'live sessions in a window of time (Enterprise Edition)',
    needs: ['project'],
    takes: WINDOW,
    call: (api, given) => api.searchLiveSessions(projectOf(given), windowOf(given)),
  },
} as const satisfies Readonly<Record<keyof OpenReplay, Operation>>;

/** How each option is declared and what it means. */
export const OPTIONS: Readonly<Record<Told, readonly (readonly [flags: string, about: string])[]>> = {
  project: [['--project <key>', 'project key']],
  userId: [
    [
      '--user-id <id>',
      'the user id; - reads it from standard input, as what is typed here stays in your history',
    ],
    ['--user-id-file <file>', 'file that holds nothing but the user id'],
  ],
  job: [['--job <id>', 'job id']],
  session: [['--session <id>', 'session id']],
  name: [['--name <text>', 'name of the project, at most 200 characters']],
  platform: [['--platform <name>', 'web or ios']],
  query: [
    ['--query <text>', 'text to look for; - reads it from standard input'],
    ['--query-file <file>', 'file that holds nothing but that text'],
  ],
  from: [['--from <time>', 'start of the window: RFC 3339, or epoch ms (default: 2000)']],
  to: [['--to <time>', 'end of the window (default: tomorrow)']],
  limit: [['--limit <number>', '1 to 200 a page (default 50)']],
  page: [['--page <number>', 'from 1 (default 1)']],
  sortOrder: [['--sort-order <order>', 'asc or desc']],
  sortBy: [['--sort-by <name>', 'field to sort by']],
  column: [['--column <name>', 'field to show; may be given again']],
  filter: [['--filter <json>', 'a filter as a JSON object; may be given again']],
};
