/**
 * Maps `items` with at most `limit` calls running at once; results keep the order of the items. The first failure
 * prevents further calls and is thrown once the running ones have ended.
 */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  limit: number,
  map: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let first: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await map(items[index], index);
      } catch (error) {
        next = items.length;
        first ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (first) throw first.error;
  return results;
}

/**
 * Yields each item with its `load` result, in order, while up to `ahead` more are loading. A failure is thrown when its
 * item is reached.
 */
export async function* readAhead<T, R>(
  items: readonly T[],
  ahead: number,
  load: (item: T) => Promise<R>,
): AsyncGenerator<[T, R]> {
  const loading: Promise<R>[] = [];
  let next = 0;
  for (const item of items) {
    for (; next < items.length && loading.length <= ahead; next++) {
      const promise = load(items[next]);
      // A failure is thrown when its item is reached; until then, Node would report it as unhandled.
      promise.catch(() => undefined);
      loading.push(promise);
    }
    yield [item, await (loading.shift() as Promise<R>)];
  }
}
