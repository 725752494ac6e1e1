/**
 * Writes what comes in while others are written together with what comes then: under load, many for one round trip and one
 * commit; alone, one at once. Nothing waits for a time.
 */
export interface Together<T, R> {
  /** What `write` gave for this one; rejects when writing failed, for all that were written with it. */
  add(item: T): Promise<R>;
}

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

export interface TogetherOptions<T> {
  /** In one write. */
  readonly most: number;
  /** Of one write, by `sizeOf`; one that is larger alone goes alone. */
  readonly mostSize: number;
  /** At the same time. */
  readonly writes: number;
  readonly sizeOf: (item: T) => number;
  /** No two of one write have the same name. */
  readonly namesOf: (item: T) => readonly string[];
}

/** @param write gives a result for each item, in their order */
export function together<T, R>(
  write: (items: readonly T[]) => Promise<readonly R[]>,
  options: TogetherOptions<T>,
): Together<T, R> {
  const waiting: Waiting<T, R>[] = [];
  let writing = 0;
  const writeNext = async () => {
    const batch = takeBatch(waiting, options);
    if (batch.length === 0) return;
    writing += 1;
    try {
      const results = await write(batch.map(({ item }) => item));
      batch.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (result === undefined) reject(new Error('a write gave too few results'));
        else resolve(result);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      writing -= 1;
      void writeNext();
    }
  };
  return {
    add: (item) =>
      new Promise((resolve, reject) => {
        waiting.push({ item, resolve, reject });
        if (writing < options.writes) void writeNext();
      }),
  };
}

/** Takes the first that wait; one that has no room, or shares a name with another of the batch, stays for the next. */
function takeBatch<T, R>(
  waiting: Waiting<T, R>[],
  { most, mostSize, sizeOf, namesOf }: TogetherOptions<T>,
): readonly Waiting<T, R>[] {
  const names = new Set<string>();
  const batch: Waiting<T, R>[] = [];
  const left: Waiting<T, R>[] = [];
  let size = 0;
  for (const one of waiting.splice(0)) {
    const own = namesOf(one.item);
    const isFull = batch.length >= most || (batch.length > 0 && size + sizeOf(one.item) > mostSize);
    if (isFull || own.some((name) => names.has(name))) left.push(one);
    else {
      for (const name of own) names.add(name);
      size += sizeOf(one.item);
      batch.push(one);
    }
  }
  waiting.push(...left);
  return batch;
}
