/** What readers of the OpenAPI document are shown. */

export const EXAMPLE_TIME = '2026-03-01T09:30:00.000Z';
export const EXAMPLE_ID = `er_${'0192a7'.padEnd(32, '5')}`;

/** A request just after it came in. */
export const REQUEST_EXAMPLE = {
  id: EXAMPLE_ID,
  type: 'erasure',
  state: 'discovering',
  attention: null,
  outcome: null,
  hold: null,
  regulation: 'gdpr',
  channel: 'api',
  connection: 'default',
  projectKeys: null,
  reference: 'TICKET-4711',
  subject: { ref: '3f'.repeat(32), kind: 'user_id', keyVersion: 1, state: 'kept', destroyedAt: null },
  receivedAt: EXAMPLE_TIME,
  createdAt: EXAMPLE_TIME,
  updatedAt: EXAMPLE_TIME,
  completedAt: null,
  cancelRequestedAt: null,
  identity: { required: false, verifiedAt: null },
  approvals: { needed: 0, given: 0 },
  coolingOffUntil: null,
  expectedTasks: null,
  clock: null,
  accessPackage: null,
  related: [],
  ticket: null,
  replies: null,
  waiting: {
    reason: 'queued',
    actsNext: 'lethe',
    explanation: 'It is queued and done as soon as a worker is free.',
    until: EXAMPLE_TIME,
  },
  forecast: {
    expectedAt: '2026-03-02T01:21:00.000Z',
    confidence: 'assumed',
    words:
      '1 more round, as the sessions were not counted. A round is assumed to end 80 minutes after the midnight (UTC) it waits for; only 0 finished ones were seen.',
  },
  tasks: [],
};
