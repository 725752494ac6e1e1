import type { Sandbox } from '../sandbox/sandbox.ts';

/** The two projects of the demo's OpenReplay. */
export const SHOP = 'demoShop000000000000';
const BLOG = 'demoBlog000000000000';

/** One person of the demo, and what their request is to end as. */
export interface Part {
  readonly userId: string;
  readonly about: string;
  /** Sessions in the shop; undefined for somebody OpenReplay does not know. */
  readonly sessions?: number;
  /** Undefined asks for every project. */
  readonly projectKeys?: readonly string[];
  readonly ends: 'completed' | 'needs_attention';
}

const HEAVY: Part = {
  userId: 'heavy-user-2500',
  about: '2,500 sessions: three rounds',
  sessions: 2500,
  projectKeys: [SHOP],
  ends: 'completed',
};
const UNLUCKY: Part = {
  userId: 'unlucky-7',
  about: 'first job fails',
  sessions: 12,
  projectKeys: [SHOP],
  ends: 'completed',
};
const UNKNOWN: Part = {
  userId: 'nobody-knows-me',
  about: 'not known to OpenReplay',
  projectKeys: [SHOP],
  ends: 'completed',
};
const UNROUTABLE: Part = {
  userId: '../users/somebody-else',
  about: 'an id that must never be sent',
  ends: 'needs_attention',
};
const AWKWARD: readonly Part[] = [
  { userId: 'anna+shop@example.org', about: 'an e-mail address as id', sessions: 3, ends: 'completed' },
  {
    userId: '50%/2'.replace('/', '\\'),
    about: 'percent and backslash',
    sessions: 2,
    projectKeys: [SHOP],
    ends: 'completed',
  },
  {
    userId: '李小龍 🐉',
    about: 'another script, an emoji',
    sessions: 4,
    projectKeys: [SHOP],
    ends: 'completed',
  },
];
const ORDINARY: readonly Part[] = Array.from({ length: 18 }, (_, index) => ({
  userId: `customer-${String(index + 1).padStart(2, '0')}`,
  about: 'an ordinary customer',
  sessions: 1 + ((index * 7) % 30),
  projectKeys: [SHOP],
  ends: 'completed',
}));

/** All 25 requests of the demo. */
export const CAST: readonly Part[] = [HEAVY, UNLUCKY, UNKNOWN, UNROUTABLE, ...AWKWARD, ...ORDINARY];

/** People whom nobody asked to erase, some with ids much like those of others. They must still be there in the end. */
export const BYSTANDERS = [
  'somebody-else',
  'customer-1',
  'customer-010',
  'Customer-01',
  'anna@example.org',
  'heavy-user',
];

/** Puts the cast and the bystanders into an empty sandbox. */
export function populate(sandbox: Sandbox): void {
  sandbox.addProject(SHOP, 'Shop');
  sandbox.addProject(BLOG, 'Blog');
  for (const { userId, sessions } of CAST) {
    if (sessions !== undefined) sandbox.addUser({ projectKey: SHOP, userId, sessions });
  }
  for (const userId of BYSTANDERS) {
    sandbox.addUser({ projectKey: SHOP, userId, sessions: 5 });
    sandbox.addUser({ projectKey: BLOG, userId, sessions: 2 });
  }
  sandbox.addUser({ projectKey: BLOG, userId: 'anna+shop@example.org', sessions: 1 });
  sandbox.faults.failFirstJob = { userIds: new Set([UNLUCKY.userId]) };
  sandbox.faults.deletedBeforeFailing = 5;
}
