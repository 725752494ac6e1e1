import { createHmac, randomUUID } from 'node:crypto';
import { stringify } from 'yaml';
import type { TicketSource } from '../../src/app/ports/intake.ts';
import { SOURCE_KINDS, type SourceKind, type TicketRules } from '../../src/domain/ticket.ts';
import { createSource, type SourceOptions, type SourceProof } from '../../src/intake/create-source.ts';

/** Sources of every kind, and what their systems would send: signed here by what is documented, not by our own code. */

export const HEADER = 'x-lethe-secret';

export const RULES: TicketRules = {
  condition: [{ pointers: ['/labels'], is: ['gdpr-erasure'] }],
  ticket: ['/key'],
  userId: ['/customer/id', '/customerId'],
  email: ['/customer/email'],
  requester: ['/requester'],
  receivedAt: [],
  projectKeys: ['/projects'],
  type: 'erasure',
};

export const WHSEC = `whsec_${Buffer.alloc(32, 'standard').toString('base64')}`;
const WHSEC_BEFORE = `whsec_${Buffer.alloc(32, 'before').toString('base64')}`;

/** The newest secret of a kind, and the one before. */
export function secretsOf(kind: SourceKind): readonly [string, string] {
  return kind === 'standard-webhooks'
    ? [WHSEC, WHSEC_BEFORE]
    : [`secret of ${kind}, the newest one`, `secret of ${kind}, the one before`];
}

export function proofOf(kind: SourceKind): SourceProof {
  const secrets = secretsOf(kind);
  return kind === 'jira-automation' || kind === 'shared-secret'
    ? { kind, secrets, header: HEADER }
    : { kind, secrets };
}

export function sourceOf(
  kind: SourceKind,
  changes: Partial<Pick<SourceOptions, 'name' | 'rules' | 'connection' | 'rateLimit'>> = {},
): TicketSource {
  return createSource({
    name: kind,
    rules: RULES,
    connection: undefined,
    regulation: 'gdpr',
    rateLimit: { requests: 1_000_000, perSeconds: 60 },
    ...changes,
    ...proofOf(kind),
  });
}

export interface Sending {
  readonly secret?: string;
  readonly id?: string;
  readonly at?: Date;
}

export interface Sent<B = string> {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: B;
}

/** A ticket as the body of a call; Jira's says when it was sent. */
export function bodyOf(kind: SourceKind, ticket: object, at = new Date()): string {
  return JSON.stringify(kind === 'jira' ? { timestamp: at.getTime(), ...ticket } : ticket);
}

/** The call that the system makes for a body. */
export function sent<B extends string | Buffer>(kind: SourceKind, body: B, sending: Sending = {}): Sent<B> {
  const { secret = secretsOf(kind)[0], id = randomUUID(), at = new Date() } = sending;
  return { headers: headersOf(kind, body, { secret, id, at }), body };
}

/** As sent, of a ticket. */
export function ticketSent(kind: SourceKind, ticket: object, sending: Sending = {}): Sent {
  return sent(kind, bodyOf(kind, ticket, sending.at), sending);
}

function headersOf(kind: SourceKind, body: string | Buffer, of: Required<Sending>): Record<string, string> {
  const { secret, id, at } = of;
  const hex = () => createHmac('sha256', secret).update(body).digest('hex');
  switch (kind) {
    case 'standard-webhooks': {
      const seconds = String(Math.floor(at.getTime() / 1_000));
      const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
      const mac = createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64');
      return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${mac}` };
    }
    case 'zendesk': {
      const time = at.toISOString();
      const mac = createHmac('sha256', secret).update(time).update(body).digest('base64');
      return {
        'x-zendesk-webhook-signature': mac,
        'x-zendesk-webhook-signature-timestamp': time,
        'x-zendesk-webhook-invocation-id': id,
      };
    }
    case 'jira':
      return { 'x-hub-signature': `sha256=${hex()}`, 'x-atlassian-webhook-identifier': id };
    case 'github':
      return { 'x-hub-signature-256': `sha256=${hex()}`, 'x-github-delivery': id };
    case 'jira-automation':
    case 'shared-secret':
      return { [HEADER]: secret };
  }
}

/** A section `intake` with a source of each kind, as sourceOf makes them. */
export function intakeSection(): string {
  const sources = SOURCE_KINDS.map((kind) => ({
    name: kind,
    kind,
    secrets: secretsOf(kind),
    ...(/automation|shared/.test(kind) && { header: HEADER }),
    condition: [{ pointer: '/labels', is: 'gdpr-erasure' }],
    map: {
      ticket: RULES.ticket,
      userId: RULES.userId,
      email: RULES.email,
      requester: RULES.requester,
      projectKeys: RULES.projectKeys,
    },
  }));
  return stringify({ intake: { sources } }, { aliasDuplicateObjects: false });
}
