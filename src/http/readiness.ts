/** One part that the API needs, or shows, and when it was last looked at. `detail` is shown to anyone: no secrets. */
export interface ReadinessPart {
  /** `database` and `queue` are needed; any other name is only shown. */
  readonly name: string;
  readonly ok: boolean;
  /** One short sentence for a person. */
  readonly detail: string;
  /** RFC 3339, since when or as of when; null when it was not looked at yet. */
  readonly at: string | null;
}

export interface Readiness {
  readonly parts: readonly ReadinessPart[];
}

/** Without these no request can be taken in. A connection's server may be away: requests wait for it. */
const NEEDED = ['database', 'queue'];

/** Whether requests can be taken in: every needed part is there and well. */
export function isReady({ parts }: Readiness): boolean {
  return NEEDED.every((name) => parts.some((part) => part.name === name && part.ok));
}
