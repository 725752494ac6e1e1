import { z } from 'zod';
import { receiptView } from '../../app/delivery-schema.ts';
import { receiveDelivery, type Receipt } from '../../app/receive-delivery.ts';
import { HttpProblem } from '../problem.ts';
import { quotaHeadersOf } from '../rate-limit-headers.ts';
import { rawBody } from '../raw-body.ts';
import { jsonAnswer, publicRoute } from '../route.ts';

const sourcePath = {
  schema: z.strictObject({ source: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/) }),
  problem: 'WEBHOOK_SOURCE_NOT_FOUND',
  absent: 'No source of this name is configured.',
} as const;

/** Takes in what a ticketing system delivers: stored first, judged by a worker. */
export const receiveWebhook = publicRoute({
  method: 'post',
  path: '/webhooks/:source',
  scope: null,
  operationId: 'receiveWebhook',
  tag: 'ticketing',
  summary: 'Take in what a ticketing system delivers',
  description: `For the systems of \`intake.sources\` in the configuration, each of which signs in its own way; docs/ticketing.md tells how
each is set up. The answer says that the delivery is stored, encrypted. Whether it is a request, and whom it is about, a worker
finds out afterwards: \`listDeliveries\` shows what it could not read. The very same delivery again, and any other of the same
ticket, never makes a second request.`,
  params: sourcePath,
  body: rawBody,
  answers: { 202: jsonAnswer('It is stored, or it was before.', receiptView) },
  problems: ['WEBHOOK_REFUSED', 'RATE_LIMITED', 'STORE_UNAVAILABLE'],
  handle: async ({ deps, params, body: { header, network, bytes }, found }) => {
    const source = found(deps.intake.sources.get(params.source));
    const body = await bytes(deps.intake.maxBodyBytes);
    const receipt = await receiveDelivery(deps, source, { header, network, body, now: deps.now() });
    return { status: 202, body: { id: idIn(receipt), repeated: receipt.outcome === 'repeated' } };
  },
});

function idIn(receipt: Receipt): string | null {
  switch (receipt.outcome) {
    case 'kept':
      return receipt.id;
    case 'repeated':
      return null;
    case 'not_utf8':
      throw new HttpProblem('BODY_MALFORMED', 'Expected one complete JSON value in UTF-8.');
    case 'refused':
      throw refusal(receipt);
    case 'limited':
      throw limited(receipt);
    default:
      return receipt satisfies never;
  }
}

type Counted = Extract<Receipt, { quota: unknown }>;

/** Which part was wrong helps only who guesses. */
function refusal({ by, quota }: Counted): HttpProblem {
  return new HttpProblem(
    'WEBHOOK_REFUSED',
    'Expected a delivery of this source, signed just now and with its secret.',
    {
      headers: { 'WWW-Authenticate': 'Signature realm="lethe"', ...quotaHeadersOf(by, quota) },
    },
  );
}

function limited({ by, quota }: Counted): HttpProblem {
  const { requests, perSeconds } = quota.limit;
  const detail =
    by === 'source'
      ? `This source may deliver ${requests} times in ${perSeconds} s.`
      : 'Too many deliveries that are not signed as they should be came from this address. Others are taken in all the same.';
  return new HttpProblem('RATE_LIMITED', detail, {
    headers: { 'Retry-After': String(quota.resetsInSeconds), ...quotaHeadersOf(by, quota) },
  });
}
