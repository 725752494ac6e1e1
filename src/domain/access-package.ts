import type { CallFailure } from './openreplay.ts';

/** What becomes of an access package. Its data is there while it is gathered and ready, and never after. */
export const PACKAGE_STATES = ['gathering', 'ready', 'downloaded', 'expired', 'withdrawn'] as const;
export type PackageState = (typeof PACKAGE_STATES)[number];

/** The files of one task, in the order in which they stand in the package. */
export const PACKAGE_FILES = ['user', 'sessions', 'events', 'gaps'] as const;
export type PackageFile = (typeof PACKAGE_FILES)[number];

const FILE_NAMES: Readonly<Record<PackageFile, string>> = {
  user: 'user.json',
  sessions: 'sessions.ndjson',
  events: 'events.ndjson',
  gaps: 'gaps.ndjson',
};

/** Where a piece of a package belongs; it is sealed for this place and opens at no other. */
export interface PartPlace {
  readonly requestId: string;
  readonly taskId: string;
  readonly file: PackageFile;
  /** From 0, without a gap. */
  readonly seq: number;
}

/** Why something is not in the package. */
export type GapReason =
  | CallFailure['kind']
  | 'unroutable'
  /** The server listed fewer sessions than it had said. */
  | 'fewer_than_said'
  | 'too_many_pages'
  /** Listed among the subject's, but under the id of another user. */
  | 'of_somebody_else';

/** A thing that is not in the package. The session's id is the subject's data, so it stands in the package alone. */
export interface Gap {
  readonly what: 'user' | 'sessions' | 'events';
  readonly reason: GapReason;
  readonly sessionId?: string;
}

/** How many things of a kind are missing for the same reason. */
export type GapCount = Omit<Gap, 'sessionId'> & { readonly count: number };

/** How far the gathering of one task has come. What stands before it has been read and kept, once. */
export interface Progress {
  /** What is read next. */
  readonly at: 'user' | 'sessions' | 'events' | 'done';
  /** End of the time that is read, epoch ms: the same for all pages, so that new sessions shift none. */
  readonly readUntil: number;
  /** Null until it was asked for, or when it could not be read. */
  readonly userKnown: boolean | null;
  /** The page of sessions that is read next. */
  readonly page: number;
  /** Sessions as the first page counted them. */
  readonly said: number | null;
  readonly listed: number;
  readonly lastPageRead: boolean;
  /** Sessions of the page at hand whose events are not all read, the current one first. */
  readonly pending: readonly string[];
  readonly eventPage: number;
  readonly eventsSaid: number | null;
  readonly eventsListed: number;
  /** Records in the package. */
  readonly sessions: number;
  readonly events: number;
  readonly gaps: readonly GapCount[];
  /** Pieces kept of each file: the place of the next. */
  readonly parts: Readonly<Record<PackageFile, number>>;
}

/** A task of which nothing was gathered yet. */
export function nothingGathered(readUntil: number): Progress {
  return {
    at: 'user',
    readUntil,
    userKnown: null,
    page: 1,
    said: null,
    listed: 0,
    lastPageRead: false,
    pending: [],
    eventPage: 1,
    eventsSaid: null,
    eventsListed: 0,
    sessions: 0,
    events: 0,
    gaps: [],
    parts: { user: 0, sessions: 0, events: 0, gaps: 0 },
  };
}

/** How many things a task's part of the package lacks. */
export function gapsOf({ gaps }: Pick<Progress, 'gaps'>): number {
  return gaps.reduce((sum, { count }) => sum + count, 0);
}

/**
 * The name of a file in the package. Made by us alone: no text of OpenReplay's gets into a path.
 *
 * @param index of the task among the request's, from 0
 */
export function fileName(index: number, file: PackageFile): string {
  return `${String(index + 1).padStart(3, '0')}/${FILE_NAMES[file]}`;
}

/** A file of a package, as its manifest has it. */
export interface ManifestFile {
  readonly name: string;
  readonly bytes: number;
  /** Lower-case hex, of the file's plain bytes. */
  readonly sha256: string;
}

/** What the subject is told of what they get; the archive's first file. */
export interface Manifest {
  readonly v: 1;
  readonly requestId: string;
  readonly gatheredAt: string;
  readonly about: string;
  readonly projects: readonly {
    readonly folder: string;
    readonly connection: string;
    readonly projectKey: string | null;
    readonly userKnown: boolean | null;
    readonly sessions: number;
    readonly events: number;
    readonly gaps: readonly GapCount[];
  }[];
  readonly files: readonly ManifestFile[];
}

export const MANIFEST_ABOUT =
  'What OpenReplay held of you in each project: what it knows of you as a user, your recorded sessions, and the events ' +
  'in them, one JSON value a line, as OpenReplay gave them (some of its texts are HTML-escaped). gaps.ndjson names what ' +
  'could not be read. sha256 is of each file as it stands here.';
