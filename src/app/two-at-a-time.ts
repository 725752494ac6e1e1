/**
 * Does `work` for each item, at most two at a time and begun in their order: while one waits for the database, the next is
 * made ready. Where one fails or the items stop, what is under way is waited for, and the first failure thrown.
 */
export async function twoAtATime<T>(
  items: AsyncIterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let before: Promise<void> | undefined;
  let latest: Promise<void> | undefined;
  try {
    for await (const item of items) {
      before = latest;
      latest = work(item);
      // Heard below; unheard until then, it would end the process.
      latest.catch(() => undefined);
      await before;
    }
    await latest;
  } finally {
    await Promise.allSettled([before, latest]);
  }
}
