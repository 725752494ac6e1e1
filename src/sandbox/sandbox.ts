import { createServer, type Server } from 'node:http';
import { contractShapes } from './contract-shapes.ts';
import { FaultDraw, type CallFault, type Faults } from './faults.ts';
import { generate } from './generator.ts';
import { JobRunner, type Erasure } from './jobs.ts';
import type { AskedDeletion, World } from './operation.ts';
import {
  resolveSettings,
  seededRandom,
  type OperationId,
  type RequestHook,
  type SandboxOptions,
} from './options.ts';
import { realShapes } from './real-shapes.ts';
import { createApp } from './routes.ts';
import { callServer, type CallDesk } from './serve-call.ts';
import { SandboxState, type JobRecord, type NewSession, type NewUser, type SessionRecord } from './state.ts';

/** A running imitation of OpenReplay with its state in the open. Look-ups throw when the project is not there. */
export interface Sandbox {
  /** Listens (port 0: a free one) and lets jobs run. Resolves to the URL with the first base path. */
  start(port?: number): Promise<string>;
  /** Closes every socket, open calls included. The state stays; `start` may follow. */
  stop(): Promise<void>;
  addProject(projectKey: string, name?: string): void;
  addUser(user: NewUser): void;
  /** One more session, recorded now unless said otherwise; a user who is gone comes back, as with the tracker. */
  addSession(session: NewSession): SessionRecord;
  /** The user's live sessions end: from now on they are recorded ones. */
  endLiveSessions(projectKey: string, userId: string): void;
  /** Whether the user's record can be read. In `real` it outlives the sessions by `analyticsLagMs`. */
  hasUser(projectKey: string, userId: string): boolean;
  sessionCount(projectKey: string, userId: string): number;
  liveCount(projectKey: string, userId: string): number;
  userIds(projectKey: string): string[];
  projectKeys(): string[];
  /** Oldest first; without those that vanished. */
  jobs(projectKey: string): readonly Readonly<JobRecord>[];
  /** Runs the jobs that are due by `now`; answers how many came to their end. */
  runDueJobs(): number;
  /** Runs all jobs to their end, whenever they are due. */
  runAllJobs(): number;
  /** The next `times` (1) calls of that operation go wrong in that way; scripts queue up. */
  script(operationId: OperationId, fault: CallFault, times?: number): void;
  readonly faults: Faults;
  /** Every DELETE of a user that got a job. */
  readonly deletionsAsked: readonly AskedDeletion[];
  /** Users whose last session a job has deleted. */
  readonly erased: readonly Erasure[];
  /** The most jobs that were scheduled or running for one user of one project at the same time. */
  readonly maxActiveJobsPerUser: number;
  /** Calls that arrived, by operation. */
  readonly calls: Readonly<Record<OperationId, number>>;
  /** Awaited at each of the three moments of each call; may be replaced at any time. */
  onRequest: RequestHook | undefined;
}

/** Makes a sandbox. Nothing listens and no time passes before `start`. */
export function createSandbox(options: SandboxOptions): Sandbox {
  const { world, desk } = createWorld(options);
  const { state, runner, draw, deletionsAsked } = world;
  const app = createApp(world, callServer(desk));
  const rewrite = options.rewriteTarget ?? ((target: string) => target);
  const doors = createDoors(world, desk, () =>
    createServer((req, res) => {
      req.url = rewrite(req.url ?? '/');
      // Node would write its own time: this world has its own clock, which may be off.
      res.setHeader('Date', new Date(world.settings.now()).toUTCString());
      app(req, res);
    }),
  );
  const userOf = (projectKey: string, userId: string) => state.findUser(state.getProject(projectKey), userId);
  return {
    ...doors,
    addProject: (projectKey, name) => void state.addProject(projectKey, name),
    addUser: (user) => {
      state.addUser(user);
    },
    addSession: (session) => state.addSession(session),
    endLiveSessions: (projectKey, userId) => {
      const user = userOf(projectKey, userId);
      if (user !== undefined) state.endLiveSessions(state.getProject(projectKey), user);
    },
    hasUser: (projectKey, userId) => userOf(projectKey, userId) !== undefined,
    sessionCount: (projectKey, userId) => userOf(projectKey, userId)?.sessions.length ?? 0,
    liveCount: (projectKey, userId) => userOf(projectKey, userId)?.live.length ?? 0,
    userIds: (projectKey) => [...state.listUsers(state.getProject(projectKey))].map(({ userId }) => userId),
    projectKeys: () => [...state.projects.keys()],
    jobs: (projectKey) => state.getProject(projectKey).jobs,
    runDueJobs: () => runner.runDue(),
    runAllJobs: () => runner.runAll(),
    script: (operationId, fault, times) => {
      draw.script(operationId, fault, times);
    },
    ...{ faults: draw.faults, deletionsAsked, erased: runner.erased, calls: desk.calls },
    get maxActiveJobsPerUser() {
      return runner.maxActiveJobsPerUser;
    },
    get onRequest() {
      return desk.onRequest;
    },
    set onRequest(hook) {
      desk.onRequest = hook;
    },
  };
}

function createWorld(options: SandboxOptions): { world: World; desk: CallDesk } {
  const settings = resolveSettings(options);
  const state = new SandboxState(settings.now);
  const draw = new FaultDraw(settings.random);
  const runner = new JobRunner({ settings, state, draw });
  const shapes = settings.personality === 'contract' ? contractShapes : realShapes;
  const world: World = { settings, state, draw, runner, shapes, deletionsAsked: [] };
  const { projects = 0, users = 0, seed = 1 } = options;
  // Its own randomness: the same people, whatever faults were drawn.
  generate(state, { projects, users, seeded: seededRandom(seed), now: settings.now() });
  const stopping = new AbortController().signal;
  return { world, desk: { world, calls: noCalls(), onRequest: options.onRequest, stopping } };
}

function createDoors(
  { settings, runner }: World,
  desk: CallDesk,
  newServer: () => Server,
): Pick<Sandbox, 'start' | 'stop'> {
  let server: Server | undefined;
  let stopping = new AbortController();
  return {
    async start(port = 0) {
      if (server !== undefined) throw new Error('The sandbox is already started.');
      const opening = newServer();
      server = opening;
      stopping = new AbortController();
      desk.stopping = stopping.signal;
      try {
        await listen(opening, port, settings.host);
      } catch (error) {
        server = undefined;
        throw error;
      }
      runner.start();
      return `http://${settings.host}:${portOf(opening)}${settings.basePaths[0]}`;
    },
    async stop() {
      const closing = server;
      server = undefined;
      runner.stop();
      stopping.abort();
      if (closing !== undefined) await close(closing);
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
    server.closeAllConnections();
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

function noCalls(): Record<OperationId, number> {
  const none = {
    ...{ listProjects: 0, createProject: 0, getProject: 0, searchUsers: 0, getUser: 0, deleteUser: 0 },
    ...{ listUserSessions: 0, listSessionEvents: 0, listJobs: 0, getJob: 0, cancelJob: 0 },
    ...{ listLiveSessions: 0, searchLiveSessions: 0 },
  };
  return none;
}
