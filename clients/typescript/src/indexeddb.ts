import type { Storage, Write } from "./storage.js";

const STORE = "entries";

/** Keeps everything in IndexedDB, which all tabs of an origin share. */
export class IndexedDbStorage implements Storage {
  #connection: Promise<IDBDatabase> | undefined;

  /** @param name of the database; one a user interface is enough, whoever signs in. */
  constructor(readonly name: string) {}

  async get(key: string): Promise<unknown> {
    const store = await this.#store("readonly");
    return finished(store.get(key));
  }

  async list(prefix: string, limit: number): Promise<[string, unknown][]> {
    const store = await this.#store("readonly");
    const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
    const [keys, values] = await Promise.all([
      finished(store.getAllKeys(range, limit)),
      finished(store.getAll(range, limit)),
    ]);
    return keys.map((key, place) => [String(key), values[place]]);
  }

  async write(changes: readonly Write[]): Promise<void> {
    const store = await this.#store("readwrite");
    const committed = new Promise<void>((resolve, reject) => {
      store.transaction.oncomplete = () => resolve();
      store.transaction.onabort = () => reject(store.transaction.error ?? new Error("The transaction was aborted."));
    });
    try {
      for (const { key, value } of changes) {
        if (value === undefined) store.delete(key);
        else store.put(value, key);
      }
    } catch (error) {
      store.transaction.abort(); // a value that cannot be cloned: nothing of the others is kept either
      await committed.catch(() => undefined);
      throw error;
    }
    return committed;
  }

  /** Closes the connection; the next call opens another. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    (await connection)?.close();
  }

  async #store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    try {
      return begin(await this.#connect(), mode);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "InvalidStateError")) throw error;
      this.#connection = undefined; // the browser closed the connection: another one will do
      return begin(await this.#connect(), mode);
    }
  }

  #connect(): Promise<IDBDatabase> {
    this.#connection ??= this.#open().catch((error: unknown) => {
      this.#connection = undefined;
      throw error;
    });
    return this.#connection;
  }

  async #open(): Promise<IDBDatabase> {
    const request = indexedDB.open(this.name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    const connection = await finished(request);
    connection.onversionchange = () => void this.close(); // another tab deletes the database
    connection.onclose = () => (this.#connection = undefined);
    return connection;
  }
}

function begin(connection: IDBDatabase, mode: IDBTransactionMode): IDBObjectStore {
  return connection.transaction(STORE, mode, { durability: "strict" }).objectStore(STORE);
}

function finished<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB gave no reason."));
  });
}
