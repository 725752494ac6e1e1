import type { PartPlace } from '../../domain/access-package.ts';
import type { Subject, SubjectRef } from '../../domain/request.ts';
import type { Sealed } from './sealed.ts';

/** Where identifiers live: sealed at rest, and known elsewhere only by their pseudonym. Part of ports.ts. */

/** A key as it is kept: wrapped by one of the master keys, for this use and no other. */
export interface WrappedKey {
  /** The id of the request or delivery that it is for, or the use of one that outlives requests. */
  readonly of: string;
  readonly wrapped: Sealed;
}

/** The key that everything of a request is sealed under. Whoever has no `wrapped` can read none of it, ever. */
export interface DataKey {
  /** Of the request, or of what is kept until it is one: a delivery. */
  readonly requestId: string;
  /** Null of a request that came in before there were data keys: it is sealed under the lasting key. */
  readonly wrapped: Sealed | null;
}

/** Which text of its owner; a note unless said otherwise. */
export type TextField =
  | 'note'
  | 'reason'
  | 'release_reason'
  | 'progress'
  | 'manifest'
  | 'journal'
  | 'signing_key'
  | 'delivery'
  | 'callback_url'
  | 'callback_secret';

/** Seals and opens under one key. Each ciphertext is bound to its owner, and opens for no other. */
export interface Box {
  /** @param ownerId of the request, task or hold that the ciphertext belongs to */
  sealSubject(ownerId: string, subject: Subject): Sealed;
  /** Throws when the ciphertext is not this owner's or was changed. */
  openSubject(ownerId: string, sealed: Sealed): Subject;
  sealText(ownerId: string, text: string, field?: TextField): Sealed;
  openText(ownerId: string, sealed: Sealed, field?: TextField): string;
  /** A piece of an access package, bound to its place. */
  sealPart(place: PartPlace, bytes: Uint8Array): Sealed;
  openPart(place: PartPlace, sealed: Sealed): Uint8Array;
}

export interface Vault {
  /** A pseudonym for each identifier; the user id's first. */
  subjectRefs(subject: Subject): readonly SubjectRef[];
  /** A keyed fingerprint: equal texts are equal, and nothing can be guessed from it. */
  fingerprint(text: string): Uint8Array;
  /** A new key for a request (or a delivery), to be written in the transaction that inserts it. */
  newDataKey(requestId: string): DataKey;
  /**
   * What a request is sealed under.
   *
   * @param key null once it was destroyed
   * @throws SubjectGoneError, LetheError MASTER_KEY_MISSING, VAULT_UNREADABLE
   */
  boxOf(key: DataKey | null): Box;
  /** For what outlives requests: holds, reasons of pauses, the journal. */
  readonly lasting: Box;
  /** Names the master key that keys are wrapped by from now on, 16 hex digits. */
  readonly masterId: string;
  /** The same key, wrapped by that master key. */
  rewrap(key: WrappedKey): WrappedKey;
}

/** What was sealed before there were keys of the vault: under what follows from the master key itself. */
export interface EarlySeal {
  /** Something of it: a subject, or the key that signs the log. */
  readonly sample:
    | { readonly ownerId: string; readonly field: 'subject' | 'signing_key'; readonly sealed: Sealed }
    | undefined;
}

export interface VaultStore {
  /** Those that outlive requests. */
  listVaultKeys(): Promise<readonly WrappedKey[]>;
  /** Keeps those of which there is none yet. */
  insertVaultKeys(keys: readonly WrappedKey[]): Promise<void>;
  /** Undefined where the database was never in use. */
  findEarlySeal(): Promise<EarlySeal | undefined>;
  /** The id of a master key that is none of these and wraps a data key, if there is one. */
  findOtherMaster(masterIds: readonly string[]): Promise<string | undefined>;
}

export interface VaultTransaction {
  /** Data keys that another master key wraps, by request id after `after`; locked until the transaction ends. */
  lockDataKeys(of: { notBy: string; after: string; limit: number }): Promise<readonly WrappedKey[]>;
  /** As lockDataKeys, all that outlive requests. */
  lockVaultKeys(of: { notBy: string }): Promise<readonly WrappedKey[]>;
  replaceDataKeys(keys: readonly WrappedKey[]): Promise<void>;
  replaceVaultKeys(keys: readonly WrappedKey[]): Promise<void>;
  /**
   * Destroys a request's data key and all that was sealed under it, or, before there were data keys, for it: subject, note,
   * user ids of tasks, words of decisions, and whatever is left of an access package.
   */
  destroySubject(requestId: string): Promise<void>;
  /** The tasks of a request that are still to be looked at. */
  listLooks(requestId: string): Promise<readonly string[]>;
  /** Takes these looks away, whoever holds them. */
  deleteLooks(requestId: string): Promise<void>;
}
