/** What the client keeps on the device. Three methods, so that any database that commits several rows at once will do. */

/** A change of one key; without a value the key is removed. */
export interface Write {
  readonly key: string;
  readonly value?: unknown;
}

/**
 * An ordered store of JSON values.
 *
 * `write` must be atomic and durable: when its promise is fulfilled, all of it survives a crash, and when it is not,
 * all or nothing of it is there. In SQLite it is one table (`key text primary key, value text`) and one transaction.
 */
export interface Storage {
  /** The value of a key, or undefined. */
  get(key: string): Promise<unknown>;
  /** The entries whose keys begin with `prefix`, ordered by key (by code unit), at most `limit`. */
  list(prefix: string, limit: number): Promise<[key: string, value: unknown][]>;
  /** Makes all changes at once. */
  write(changes: readonly Write[]): Promise<void>;
}

/** Keeps everything in memory: for tests, and for clients that need no queue. A crash loses it. */
export class MemoryStorage implements Storage {
  readonly #values = new Map<string, string>();

  async get(key: string): Promise<unknown> {
    const value = this.#values.get(key);
    return value === undefined ? undefined : JSON.parse(value);
  }

  async list(prefix: string, limit: number): Promise<[string, unknown][]> {
    const keys = [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort();
    return keys.slice(0, limit).map((key) => [key, JSON.parse(this.#values.get(key)!)]);
  }

  async write(changes: readonly Write[]): Promise<void> {
    for (const { key, value } of changes) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, JSON.stringify(value));
    }
  }
}
