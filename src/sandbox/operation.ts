import type { FaultDraw } from './faults.ts';
import type { JobRunner } from './jobs.ts';
import type { OperationId, Settings } from './options.ts';
import type { Answer, Shapes } from './shapes.ts';
import type { ProjectRecord, SandboxState } from './state.ts';

/** A DELETE of a user that got its job. */
export interface AskedDeletion {
  readonly projectKey: string;
  readonly userId: string;
  /** Also of a job that vanished. */
  readonly jobId: number;
  readonly at: number;
}

/** Everything that an operation works on. */
export interface World {
  readonly settings: Settings;
  readonly state: SandboxState;
  readonly runner: JobRunner;
  readonly shapes: Shapes;
  readonly draw: FaultDraw;
  readonly deletionsAsked: AskedDeletion[];
}

/** One call: path parts decoded once (empty where the path has none); `body` undefined when it is no JSON. */
export interface Call {
  readonly operationId: OperationId;
  readonly projectKey: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly jobId: string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** Carries one call out, at once and as a whole. */
export type Operation = (world: World, call: Call) => Answer;

export const NO_JSON = 'invalid JSON body';

/** A success with its data. */
export function success(data: unknown): Answer {
  return { status: 200, json: { data } };
}

/** Carries out what needs a project, or refuses because there is none with that key. */
export function inProject(carryOut: (world: World, call: Call, project: ProjectRecord) => Answer): Operation {
  return (world, call) => {
    const project = world.state.projects.get(call.projectKey);
    if (project === undefined) return world.shapes.refusal(call.operationId, 404, 'project not found');
    return carryOut(world, call, project);
  };
}

/** The same for what needs a user id that is not too long for the server. */
export function forUser(carryOut: (world: World, call: Call, project: ProjectRecord) => Answer): Operation {
  return inProject((world, call, project) => {
    if (Buffer.byteLength(call.userId) <= 256) return carryOut(world, call, project);
    return world.shapes.refusal(call.operationId, 400, 'userID exceeds maximum length of 256 characters');
  });
}

/** Cuts page number `page` (from 1) out of all items. */
export function pageOf<T>(all: readonly T[], { limit, page }: { limit: number; page: number }): readonly T[] {
  return all.slice((page - 1) * limit, page * limit);
}
