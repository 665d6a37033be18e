import type { Accounts } from "./account.js";
import { ApiError, SignedOutError } from "./errors.js";
import { keysOf } from "./keys.js";
import { exclusive } from "./locks.js";
import type { components } from "./schema.js";
import type { Storage, Write } from "./storage.js";

type Schemas = components["schemas"];
export type Change = Schemas["Change"];
export type Kind = Change["kind"];
/** How a thing of this kind stands. */
export type Copy<K extends Kind> = NonNullable<Extract<Change, { kind: K }>["data"]>;

const PAGE = 100;
const EVERYTHING = 1_000_000;

/** This device's copy of the account, and how far it has caught up. */
export class Changes {
  constructor(
    private readonly accounts: Accounts,
    private readonly storage: Storage,
    private readonly lock: string,
  ) {}

  /**
   * Takes over what changed since last time, also on other devices; returns how many changes.
   *
   * Throws as `Api` does. Each page and its cursor are stored at once: after a crash the same page comes again.
   */
  catchUp(): Promise<number> {
    return exclusive(`${this.lock}/changes`, async () => {
      const user = (await this.accounts.current())?.user_id;
      if (user === undefined) throw new SignedOutError();
      for (let taken = 0, more = true; ; ) {
        const page = await this.#page(user);
        if (page === undefined) continue; // begin again without a cursor
        await this.storage.write(writes(user, page));
        taken += page.data.length;
        more = page.next_cursor !== null;
        if (!more) return taken;
      }
    });
  }

  /** Everything of a kind: sessions, badges, memberships. */
  async all<K extends Kind>(kind: K): Promise<Copy<K>[]> {
    const entries = await this.storage.list(`${await this.#copies()}${kind}/`, EVERYTHING);
    return entries.map(([, value]) => value as Copy<K>);
  }

  /** One thing, or undefined; profile and XP go by the id `me`. */
  async one<K extends Kind>(kind: K, id = "me"): Promise<Copy<K> | undefined> {
    return (await this.storage.get(`${await this.#copies()}${kind}/${id}`)) as Copy<K> | undefined;
  }

  async #copies(): Promise<string> {
    const account = await this.accounts.current();
    if (account === undefined) throw new SignedOutError();
    return keysOf(account.user_id).copies;
  }

  async #page(user: string): Promise<Schemas["Changes"] | undefined> {
    const { cursor: key, copies } = keysOf(user);
    const cursor = await this.storage.get(key);
    const from = typeof cursor === "string" ? `&cursor=${encodeURIComponent(cursor)}` : "";
    try {
      const answer = await this.accounts.send({ method: "GET", path: `/api/sync/changes?limit=${PAGE}${from}` }, user);
      return answer as Schemas["Changes"];
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 400 && from)) throw error;
      const old = await this.storage.list(copies, EVERYTHING);
      await this.storage.write([{ key }, ...old.map(([copy]) => ({ key: copy }))]);
      return undefined;
    }
  }
}

function writes(user: string, page: Schemas["Changes"]): Write[] {
  const { cursor: key, copies } = keysOf(user);
  const changes = page.data.map(({ kind, id, deleted, data }): Write => {
    const copy = `${copies}${kind}/${id}`;
    return deleted || data === null ? { key: copy } : { key: copy, value: data };
  });
  return [...changes, { key, value: page.cursor }];
}
