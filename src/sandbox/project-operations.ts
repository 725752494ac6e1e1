import { problemOf, projectBody } from './bodies.ts';
import { inProject, NO_JSON, success, type Operation } from './operation.ts';
import type { SandboxState } from './state.ts';

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A project key of 20 letters and digits, as real servers make them. */
export function newProjectKey(random: () => number): string {
  return Array.from({ length: 20 }, () => LETTERS.charAt(Math.floor(random() * LETTERS.length))).join('');
}

const listProjects: Operation = ({ state, shapes }) =>
  success([...state.projects.values()].map((project) => shapes.project(project)));

const createProject: Operation = ({ state, shapes, settings }, { operationId, body }) => {
  if (body === undefined) return shapes.refusal(operationId, 400, NO_JSON);
  const read = projectBody.safeParse(body);
  if (!read.success) return shapes.refusal(operationId, 400, problemOf(read.error));
  if (settings.personality === 'real' && state.projectNames.has(read.data.name)) {
    return shapes.refusal(operationId, 400, 'name already exists');
  }
  return success(
    shapes.project(state.addProject(freeKey(state, settings.random), read.data.name, read.data.platform)),
  );
};

const getProject: Operation = inProject(({ shapes }, _call, project) => success(shapes.project(project)));

/** List, create and read projects. */
export const projectOperations = { listProjects, createProject, getProject };

function freeKey(state: SandboxState, random: () => number): string {
  const key = newProjectKey(random);
  return state.projects.has(key) ? freeKey(state, random) : key;
}
