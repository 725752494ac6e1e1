import { bodiesOf, problemOf, valuesAskedFor } from './bodies.ts';
import { forUser, inProject, NO_JSON, success, type Operation } from './operation.ts';
import type { UserRecord } from './state.ts';
import { readSearch } from './user-search.ts';

const searchUsers: Operation = inProject(({ state, shapes, settings }, { operationId, body }, project) => {
  if (body === undefined) return shapes.refusal(operationId, 400, NO_JSON);
  const read = bodiesOf(settings.personality).users.safeParse(body);
  if (!read.success) return shapes.refusal(operationId, 400, problemOf(read.error));
  const { query, filters, limit: asked, page } = read.data;
  const limit = Math.min(asked, settings.usersPerPage);
  const { literal, matches } = readSearch(query, settings.personality);
  const passes = filterOf(filters);
  const items: UserRecord[] = [];
  let total = 0;
  for (const user of state.listUsers(project, literal)) {
    if (!matches(user) || !passes(user)) continue;
    total += 1;
    if (total > (page - 1) * limit && items.length < limit) items.push(user);
  }
  return success(shapes.users({ items, total }));
});

const getUser: Operation = forUser(({ state, shapes }, { operationId, userId }, project) => {
  const user = state.findUser(project, userId);
  return user === undefined ? shapes.refusal(operationId, 404, 'user not found') : success(shapes.user(user));
});

const deleteUser: Operation = forUser((world, { operationId, userId }, project) => {
  const { state, shapes, settings, runner, deletionsAsked } = world;
  if (settings.personality === 'contract') {
    if (state.findUser(project, userId) === undefined)
      return shapes.refusal(operationId, 404, 'user not found');
  } else if (runner.hasActive(project, userId)) {
    return shapes.refusal(operationId, 409, 'a deletion job for this user is already scheduled or running');
  }
  const job = runner.create(project, userId);
  const { jobId, createdAt: at } = job;
  deletionsAsked.push({ projectKey: project.projectKey, userId, jobId, at });
  return success(shapes.job(job));
});

/** Search, read and delete users. */
export const userOperations = { searchUsers, getUser, deleteUser };

type AskedFilters = Parameters<typeof valuesAskedFor>[0];

function filterOf(filters: AskedFilters): (user: UserRecord) => boolean {
  const ids = valuesAskedFor(filters, ['userId', '$user_id', 'id']);
  const emails = valuesAskedFor(filters, ['email', '$email']);
  const countries = valuesAskedFor(filters, ['country', '$country', 'userCountry']);
  return ({ userId, email, country }) =>
    ids?.has(userId) !== false && emails?.has(email) !== false && countries?.has(country) !== false;
}
