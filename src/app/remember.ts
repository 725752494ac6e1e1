/**
 * What `load` gives, asked for again only when it is older than `forMs`. Callers at the same time share one call; a
 * failure is not remembered.
 */
export function remembered<T>(
  forMs: number,
  load: () => Promise<T>,
  now: () => Date = () => new Date(),
): () => Promise<T> {
  let known: { readonly value: Promise<T>; readonly until: number } | undefined;
  return () => {
    const at = now().getTime();
    if (known !== undefined && at < known.until) return known.value;
    const value = load();
    const mine = { value, until: at + forMs };
    known = mine;
    value.catch(() => {
      if (known === mine) known = undefined;
    });
    return value;
  };
}
