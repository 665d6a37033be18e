const queues = new Map<string, Promise<unknown>>();

/**
 * Runs `work` while nobody else runs work of the same name: in all tabs of an origin where there are Web Locks, in this
 * process otherwise. More than speed never hangs on it: the server takes an event once however often it is sent.
 */
export async function exclusive<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (locks) return (await locks.request(name, work)) as T;
  const before = queues.get(name) ?? Promise.resolve();
  const mine = before.then(work, work);
  const settled = mine.catch(() => undefined);
  queues.set(name, settled);
  void settled.then(() => {
    if (queues.get(name) === settled) queues.delete(name);
  });
  return mine;
}
