import type { Config } from '../../config.ts';
import { judgeClocks } from './clock.ts';
import { lookAtConnection } from './connection.ts';
import { lookAtDatabase } from './database.ts';
import type { Finding } from './finding.ts';
import { lookAtQueue } from './queue.ts';

/** Looks at all that a right configuration names, everything at once, and then compares the clocks. */
export async function examine(config: Config, now: () => number): Promise<readonly Finding[]> {
  const [database, queue, ...connections] = await Promise.all([
    lookAtDatabase(config, now),
    lookAtQueue(config),
    ...config.connections.map((connection) => lookAtConnection(connection, now)),
  ]);
  return [
    ...database.findings,
    ...queue,
    ...connections.flatMap((look) => look.findings),
    judgeClocks([database, ...connections].flatMap(({ clock }) => clock ?? [])),
  ];
}
