import { LetheError } from '../domain/errors.ts';
import { checkExtension } from '../domain/deadlines.ts';
import { isTerminalRequestState, REQUEST_STATES } from '../domain/states.ts';
import { decide, requireState, type Decision } from './decide.ts';
import { encodeEvents } from './encode-events.ts';
import type { Deps } from './ports.ts';
import type { RequestView } from './request-schema.ts';

/** The period cannot be extended: it was already, or its first part is over. Code EXTENSION_REFUSED. */
export class ExtensionRefusedError extends LetheError {
  constructor(why: string) {
    super('EXTENSION_REFUSED', why);
  }
}

/**
 * Extends the statutory period, once, inside its first part (Art. 12(3)); the reason is what the subject is told.
 *
 * @throws ExtensionRefusedError, RequestStateForbidsError when the request is closed
 */
export async function extendRequest(
  deps: Deps,
  decision: Decision & { text: string },
): Promise<RequestView | undefined> {
  return decide(deps, { ...decision, kind: 'extended' }, async ({ tx, scope, actor }) => {
    const { request } = scope;
    const open = REQUEST_STATES.filter((state) => !isTerminalRequestState(state));
    requireState(scope, 'be extended', open);
    if (request.clock === null) throw new ExtensionRefusedError('This request has no deadline.');
    const today = deps.today(request.regulation);
    const check = checkExtension(request.clock, { today, isExtended: request.extendedAt !== null });
    if (check.kind === 'already_extended') {
      throw new ExtensionRefusedError('The period was extended before; that is possible once.');
    }
    if (check.kind === 'too_late') {
      throw new ExtensionRefusedError(`The notice of an extension had to go out by ${check.extendBy}.`);
    }
    const data = { due_on: request.clock.dueOn, extended_due_on: check.extendedDueOn };
    await tx.write(request.id, {
      request: { from: [request.state], patch: { extendedAt: tx.now } },
      events: encodeEvents(deps, { request, now: tx.now }, [{ type: 'request.extended', actor, data }]),
    });
    return true;
  });
}
