import type { SessionRecord } from './state.ts';

/** One event inside a session. Time in epoch ms. */
export interface SessionEvent {
  readonly eventId: string;
  readonly session: SessionRecord;
  readonly type: (typeof EVENT_TYPES)[number];
  readonly timestamp: number;
  readonly value: string;
}

const EVENT_TYPES = ['LOCATION', 'CLICK', 'INPUT', 'CUSTOM'] as const;
const VALUES = {
  LOCATION: '/checkout',
  CLICK: 'Pay now',
  INPUT: 'delivery address',
  CUSTOM: 'cart_updated',
} as const;

/** The events of a session, oldest first. Derived from it, always the same, so they are gone when it is. */
export function eventsOf(session: SessionRecord): SessionEvent[] {
  const { startTs, endTs, eventsCount, sessionId } = session;
  const stepMs = (endTs - startTs) / Math.max(eventsCount - 1, 1);
  return Array.from({ length: eventsCount }, (_, n) => {
    const type = EVENT_TYPES[n % EVENT_TYPES.length] ?? 'CUSTOM';
    const timestamp = startTs + Math.floor(n * stepMs);
    return { eventId: `${sessionId}-${n + 1}`, session, type, timestamp, value: VALUES[type] };
  });
}
