import { seededRandom } from '../../src/sandbox/options.ts';

export const PROJECT = 'soakProject000000000';
export const SESSIONS_OF_BYSTANDER = 2;

/** What becomes of a subject's erasure, whatever else goes wrong. */
export type Fate =
  | 'erased'
  /** OpenReplay has never heard of them. */
  | 'unknown'
  /** The id must never be sent. */
  | 'unroutable'
  /** Somebody cancels each of their jobs. */
  | 'always_cancelled'
  /** Each of their jobs is accepted, and never seen again. */
  | 'always_vanishes'
  /** Their jobs stay scheduled for ever. */
  | 'always_hangs';

/** Why a person is asked in the end; a request of any other fate completes. */
export const ATTENTION_OF_FATE: Readonly<Partial<Record<Fate, string>>> = {
  unroutable: 'unroutable',
  always_cancelled: 'jobs_keep_being_cancelled',
  always_vanishes: 'residue_sessions',
  always_hangs: 'jobs_keep_stalling',
};

/** A subject who asks to be forgotten. */
export interface Person {
  readonly number: number;
  readonly userId: string;
  /** Where they are asked for by address, not by id. */
  readonly email: string | undefined;
  readonly fate: Fate;
  /** At OpenReplay before. */
  readonly sessions: number;
  /** Two requests for them come in at the same time; by address, the later one may find nobody any more. */
  readonly asksTwice: boolean;
}

export interface Population {
  /** Stands in every identifier, and nowhere else. Small letters. */
  readonly marker: string;
  readonly people: readonly Person[];
  /** Ids that look like a subject's, and who must keep what they have. */
  readonly bystanders: readonly string[];
  /** By address: the same address in other letters, or with more before it. */
  readonly bystandersByEmail: ReadonlyMap<string, string>;
}

/** Ids that become another one once somebody decodes, cuts, trims or folds them. */
const NASTY: readonly ((id: string) => string)[] = [
  (id) => `${id}%2Fx`,
  (id) => `${id} `,
  (id) => `${id}+tag@soak.example`,
  (id) => `${id}?a=b&c=d`,
  (id) => `${id}#top`,
  (id) => id.toUpperCase(),
  (id) => `${id}%`,
  (id) => `${id}%00`,
  (id) => `${id};drop`,
  (id) => `${id}ü\u{1f642}`,
  (id) => `<b>${id}&amp;`,
];

/** The same people for the same seed, in each process of the soak. */
export function makePopulation(seed: number, erasures: number): Population {
  const random = seededRandom(seed);
  const letters = Array.from({ length: 10 }, () => String.fromCharCode(97 + Math.floor(random() * 26)));
  const marker = `subject-${letters.join('')}`;
  const people = Array.from({ length: erasures }, (_, number) =>
    makePerson(number, { marker, random, erasures }),
  );
  const taken = new Set(people.map(({ userId }) => userId));
  const alike = people.flatMap(({ userId, number }) =>
    isNasty(number) ? lookAlikes(userId) : number % 25 === 0 ? [`${userId}x`, `x${userId}`] : [],
  );
  const addressed = people.flatMap(({ email, number }): [string, string][] =>
    email === undefined
      ? []
      : [
          [`${marker}-upper-${number}`, email.toUpperCase()],
          [`${marker}-longer-${number}`, `a.${email}`],
        ],
  );
  return {
    marker,
    people,
    bystanders: [...new Set(alike)].filter((id) => id !== '' && !taken.has(id)),
    bystandersByEmail: new Map(addressed),
  };
}

const isNasty = (number: number) => number % 8 === 6;

function makePerson(
  number: number,
  from: { marker: string; random: () => number; erasures: number },
): Person {
  const { marker, random, erasures } = from;
  const plain = `${marker}-${number}`;
  const fate = fateOf(number, erasures);
  const byEmail = fate === 'erased' && number % 10 === 3;
  const dress = NASTY[Math.floor(random() * NASTY.length)] ?? ((id: string) => id);
  const usual = isNasty(number) ? dress(plain) : `${plain}@soak.example`;
  const isHeavy = number % 100 === 59;
  const sessions = isHeavy ? 40 : 1 + Math.floor(random() * 6);
  return {
    number,
    userId: fate === 'unroutable' ? `../${plain}/x` : usual,
    email: byEmail ? `${plain}.mail@soak.example` : undefined,
    fate,
    sessions: fate === 'unknown' || fate === 'unroutable' ? 0 : sessions,
    asksTwice: fate === 'erased' && [33, 35, 85].includes(number % 100),
  };
}

function fateOf(number: number, erasures: number): Fate {
  switch (number % 100) {
    case 7:
      return 'unroutable';
    case 19:
      return 'unknown';
    case 31:
      return 'always_cancelled';
    case 42:
      return 'always_vanishes';
    case 71:
      // It takes long until such a job counts as stalled, so these come first.
      return number < erasures * 0.4 ? 'always_hangs' : 'erased';
    default:
      return 'erased';
  }
}

function lookAlikes(userId: string): string[] {
  return [
    userId.split(/[?#%;]/, 1)[0] ?? '',
    userId.trim(),
    userId.toLowerCase(),
    userId.replaceAll('+', ' '),
    userId.replaceAll('%2F', ''),
    userId.replaceAll(/<[^>]*>|&amp;/g, ''),
  ];
}
