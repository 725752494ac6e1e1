import { bodiesOf, liveSearchBody, problemOf, valuesAskedFor } from './bodies.ts';
import { forUser, inProject, NO_JSON, pageOf, success, type Operation, type World } from './operation.ts';
import { eventsOf } from './session-events.ts';
import type { Answer } from './shapes.ts';
import type { ProjectRecord } from './state.ts';

/** Real servers answer at most so many live sessions unless told otherwise. */
const REAL_LIVE_LIMIT = 10;

const listUserSessions: Operation = forUser(
  ({ state, shapes, settings }, { operationId, userId, body }, project) => {
    if (body === undefined) return shapes.refusal(operationId, 400, NO_JSON);
    const read = bodiesOf(settings.personality).sessions.safeParse(body);
    if (!read.success) return shapes.refusal(operationId, 400, problemOf(read.error));
    const { startTimestamp, endTimestamp, sortOrder } = read.data;
    const sessions = (state.findUser(project, userId)?.sessions ?? [])
      .filter(({ startTs, endTs }) => startTs <= endTimestamp && endTs >= startTimestamp)
      .sort((one, other) => one.startTs - other.startTs);
    if (sortOrder !== 'asc') sessions.reverse();
    return success(shapes.sessions({ items: pageOf(sessions, read.data), total: sessions.length }));
  },
);

const listSessionEvents: Operation = inProject(
  ({ shapes, settings }, { operationId, sessionId, body }, { sessions, live }) => {
    if (body === undefined) return shapes.refusal(operationId, 400, NO_JSON);
    const read = bodiesOf(settings.personality).events.safeParse(body);
    if (!read.success) return shapes.refusal(operationId, 400, problemOf(read.error));
    if (Buffer.byteLength(sessionId) > 256) return shapes.refusal(operationId, 400, 'sessionID is too long');
    const { startTimestamp, endTimestamp, sortOrder } = read.data;
    const session = sessions.get(sessionId) ?? live.get(sessionId);
    const events = (session === undefined ? [] : eventsOf(session)).filter(
      ({ timestamp }) => timestamp >= startTimestamp && timestamp <= endTimestamp,
    );
    if (sortOrder === 'desc') events.reverse();
    return success(shapes.events({ items: pageOf(events, read.data), total: events.length }));
  },
);

const listLiveSessions: Operation = onlyEnterprise(
  inProject((world, { query }, project) => {
    const { userId } = query;
    const limit = world.settings.personality === 'real' ? REAL_LIVE_LIMIT : Infinity;
    const userIds = typeof userId === 'string' && userId !== '' ? new Set([userId]) : undefined;
    return liveAnswer(world, project, { userIds, limit, page: 1 });
  }),
);

const searchLiveSessions: Operation = onlyEnterprise(
  inProject((world, { body }, project) => {
    const { personality } = world.settings;
    const read = liveSearchBody.safeParse(body);
    if (!read.success && personality === 'real')
      return world.shapes.refusal('searchLiveSessions', 400, NO_JSON);
    const { limit, page = 1, filters } = read.data ?? {};
    const userIds = valuesAskedFor(filters, ['userId', 'userID', '$user_id']);
    const usual = personality === 'real' ? REAL_LIVE_LIMIT : 50;
    return liveAnswer(world, project, { userIds, limit: limit ?? usual, page });
  }),
);

/** Sessions of a user, events of a session, live sessions of a project. */
export const sessionOperations = {
  listUserSessions,
  listSessionEvents,
  listLiveSessions,
  searchLiveSessions,
};

interface LiveQuery {
  readonly userIds: ReadonlySet<string> | undefined;
  readonly limit: number;
  readonly page: number;
}

function liveAnswer({ shapes }: World, project: ProjectRecord, { userIds, limit, page }: LiveQuery): Answer {
  const found =
    userIds === undefined
      ? [...project.live.values()]
      : [...userIds].flatMap((userId) => project.users.get(userId)?.live ?? []);
  const items = limit === Infinity ? found : pageOf(found, { limit, page });
  return success(shapes.liveSessions({ items, total: found.length }));
}

function onlyEnterprise(operation: Operation): Operation {
  return (world, call) =>
    world.settings.edition === 'enterprise' ? operation(world, call) : world.shapes.notThisEdition();
}
