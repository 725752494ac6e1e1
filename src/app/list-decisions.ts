import { z } from 'zod';
import { DECISION_KINDS } from '../domain/policy.ts';
import type { Deps } from './ports.ts';
import { time } from './request-schema.ts';

export const decisionList = z
  .strictObject({
    items: z.array(
      z
        .strictObject({
          kind: z.enum(DECISION_KINDS),
          ground: z
            .string()
            .nullable()
            .meta({ description: 'Method of identification or ground of refusal.' }),
          text: z.string().nullable().meta({ description: "The person's words." }),
          decidedBy: z.string().meta({ description: 'Id of an API key.' }),
          decidedAt: time,
        })
        .meta({ id: 'Decision' }),
    ),
    textsDestroyedAt: time
      .nullable()
      .meta({ description: 'When the words were destroyed together with the identifiers.' }),
  })
  .meta({ id: 'DecisionList' });

/** What people decided about a request, first to last; undefined when there is none with this id. */
export async function listDecisions(
  deps: Pick<Deps, 'store' | 'vault'>,
  requestId: string,
): Promise<z.infer<typeof decisionList> | undefined> {
  const scope = await deps.store.findScope(requestId);
  if (scope === undefined) return undefined;
  const decisions = await deps.store.listDecisions(requestId);
  const items = decisions.map(({ kind, ground, textSealed, decidedBy, decidedAt }) => ({
    kind,
    ground,
    text: textSealed && deps.vault.boxOf(scope.dataKey).openText(requestId, textSealed, 'reason'),
    decidedBy,
    decidedAt: decidedAt.toISOString(),
  }));
  return { items, textsDestroyedAt: scope.request.subjectDestroyedAt?.toISOString() ?? null };
}
