import { newProjectKey } from './project-operations.ts';
import type { SandboxState } from './state.ts';

/** How much to generate. `seeded` gives the randomness: the same numbers, the same people. */
export interface Wanted {
  readonly projects: number;
  readonly users: number;
  readonly seeded: () => number;
  readonly now: number;
}

const PROJECT_NAMES = ['Web shop', 'Help centre', 'Mobile app', 'Intranet', 'Landing pages'];
const FIRST_NAMES = [
  'Ana',
  'Björn',
  'Chloé',
  'Dmitri',
  'Eun-ji',
  'Fatima',
  'Giulia',
  'Håkon',
  'Inés',
  'João',
  'Zoë',
];
const LAST_NAMES = [
  'Abbott',
  'Bianchi',
  'Costa',
  'Dubois',
  "O'Brien",
  'Kowalski',
  'Lindström',
  'Müller',
  'Nowak',
];
const COUNTRIES = ['DE', 'FR', 'IT', 'ES', 'PL', 'SE', 'PT', 'IE', 'NL'];

/** Ids that a client has to escape, once and not twice; all of them may be sent. */
const AWKWARD_IDS = [
  'tom+newsletter@example.com',
  '50% off; a|b?c#d',
  '%2e%2e',
  "o'brien & söhne <b>",
  'ユーザー 😀',
  ' leading and trailing ',
  'back\\slash',
];
const HOUR_MS = 3_600_000;
const MOST_DAYS_AGO = 300;
/** More than one job deletes. */
const HEAVY_SESSIONS = 1250;

/**
 * Fills the state with projects and people, the same for the same seed. Ids are e-mail addresses, numbers and UUIDs, as
 * sites choose them. From 10 users on a project has one heavy user, and ids that are awkward in a URL.
 */
export function generate(state: SandboxState, wanted: Wanted): void {
  for (let n = 0; n < wanted.projects; n += 1) {
    const name = PROJECT_NAMES[n] ?? `Project ${n + 1}`;
    const { projectKey } = state.addProject(newProjectKey(wanted.seeded), name);
    for (let u = 0; u < wanted.users; u += 1) addPerson(state, wanted, { projectKey, number: u });
  }
}

interface Place {
  readonly projectKey: string;
  readonly number: number;
}

function addPerson(state: SandboxState, { users, seeded, now }: Wanted, { projectKey, number }: Place): void {
  const first = pick(FIRST_NAMES, seeded);
  const last = pick(LAST_NAMES, seeded);
  const email = `${first}.${last}.${number}@example.com`.toLowerCase().replaceAll("'", '');
  const ids = [email, String(100_000 + number), uuid(seeded)];
  const awkward = users >= 10 ? AWKWARD_IDS[number - 3] : undefined;
  const userId = awkward ?? ids[number % ids.length] ?? email;
  const heavy = users >= 10 && number === 2;
  const live = seeded() < 0.1 ? 1 : 0;
  state.addUser({
    projectKey,
    userId,
    email,
    name: `${first} ${last}`,
    country: pick(COUNTRIES, seeded),
    sessions: 0,
    live,
  });
  const sessions = heavy ? HEAVY_SESSIONS : Math.floor(seeded() * 7);
  const starts = Array.from(
    { length: sessions },
    () => now - Math.floor((1 + seeded() * MOST_DAYS_AGO * 24) * HOUR_MS),
  );
  for (const startTs of starts.sort((one, other) => one - other)) {
    const durationMs = Math.floor((0.5 + seeded() * 20) * 60_000);
    state.addSession({ projectKey, userId, startTs, durationMs, eventsCount: 2 + Math.floor(seeded() * 40) });
  }
}

function pick(items: readonly string[], seeded: () => number): string {
  return items[Math.floor(seeded() * items.length)] ?? '';
}

function uuid(seeded: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(seeded() * 16).toString(16)).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}
