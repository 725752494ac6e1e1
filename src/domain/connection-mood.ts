/** Why Lethe leaves a server alone for a while. */
export const CLOSING_REASONS = [
  'key_refused',
  'rate_limited',
  'server_error',
  'unreachable',
  'no_answer',
] as const;
export type ClosingReason = (typeof CLOSING_REASONS)[number];

/** Why a call was not made. */
export type WithheldReason = ClosingReason | 'connection_paused' | 'internal_error';

/** What a call says of its server, and nothing of what it was about. */
export type CallMood = 'fine' | CallTrouble;
export interface CallTrouble {
  readonly reason: ClosingReason;
  /** The server said that it wants to be left alone: no further failure is waited for. */
  readonly atOnce: boolean;
  /** For how long, where it said so. */
  readonly waitMs?: number | undefined;
}
