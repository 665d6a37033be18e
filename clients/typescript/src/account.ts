import { ApiError, SignedOutError } from "./errors.js";
import { exclusive } from "./locks.js";
import type { components } from "./schema.js";
import type { Storage } from "./storage.js";
import type { Request, Transport } from "./transport.js";

type Schemas = components["schemas"];

/** Who uses this device; without a token after signing out. */
export interface Account {
  readonly user_id: string;
  readonly token: string | null;
  readonly refresh_token: string | null;
  readonly expires_at: string | null;
}

const KEY = "account";
const MARGIN = 30_000; // milliseconds before its end in which a token is no longer used

/** Signs in and out, and keeps the tokens fresh: one refresh at a time, in all tabs. */
export class Accounts {
  constructor(
    private readonly transport: Transport,
    private readonly storage: Storage,
    private readonly lock: string,
  ) {}

  /** Makes an account and signs in to it; `token` is null where the address must be confirmed first. */
  async register(body: Schemas["Registration"]): Promise<Schemas["Registered"]> {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const { data } = (await this.transport.send({ method: "POST", path: "/api/auth/register", body, headers })) as {
      data: Schemas["Registered"];
    };
    if (data.token !== null) await this.#keep(data);
    return data;
  }

  /** Signs in. */
  async signIn({ email, password }: Pick<Schemas["Login"], "email" | "password">): Promise<Account> {
    const body = { email, password };
    const { data } = (await this.transport.send({ method: "POST", path: "/api/auth/login", body })) as { data: Account };
    return this.#keep(data);
  }

  /** Takes over a sign-in that was made elsewhere. */
  async adopt(account: Account): Promise<void> {
    await this.#keep(account);
  }

  /** Ends the session here, and on the server where that can be reached. The queue stays. */
  async signOut(): Promise<void> {
    const account = await this.current();
    if (!account?.token) return;
    try {
      await this.send({ method: "POST", path: "/api/auth/logout", body: {} });
    } finally {
      await this.#forget(account.user_id);
    }
  }

  /** Who signed in last, or undefined. */
  async current(): Promise<Account | undefined> {
    return (await this.storage.get(KEY)) as Account | undefined;
  }

  /**
   * Sends a request as the user who is signed in, with a refreshed token where the old one is not taken.
   *
   * @param asUser sends only while this user is the one who is signed in.
   * @throws SignedOutError
   */
  async send(request: Request, asUser?: string): Promise<unknown> {
    const token = await this.#token(asUser);
    try {
      return await this.#sendWith(token, request);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 401)) throw error;
      return await this.#sendWith(await this.#refresh(token, asUser), request);
    }
  }

  #sendWith(token: string, request: Request): Promise<unknown> {
    return this.transport.send({ ...request, headers: { ...request.headers, Authorization: `Bearer ${token}` } });
  }

  async #token(asUser?: string): Promise<string> {
    const account = signedIn(await this.current(), asUser);
    const left = account.expires_at === null ? Infinity : Date.parse(account.expires_at) - Date.now();
    return left > MARGIN ? account.token : this.#refresh(account.token, asUser);
  }

  /** Returns a token other than `stale`. Whoever waited for another's refresh takes what that one got. */
  #refresh(stale: string, asUser?: string): Promise<string> {
    return exclusive(`${this.lock}/refresh`, async () => {
      const account = signedIn(await this.current(), asUser);
      if (account.token !== stale) return account.token;
      const body = { refresh_token: account.refresh_token };
      try {
        const answer = await this.transport.send({ method: "POST", path: "/api/auth/refresh", body });
        return (await this.#keep((answer as { data: Account }).data)).token!;
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 401)) throw error;
        await this.#forget(account.user_id);
        throw new SignedOutError();
      }
    });
  }

  async #keep({ user_id, token, refresh_token, expires_at }: Account): Promise<Account> {
    const value = { user_id, token, refresh_token, expires_at };
    await this.storage.write([{ key: KEY, value }]);
    return value;
  }

  async #forget(user_id: string): Promise<void> {
    await this.#keep({ user_id, token: null, refresh_token: null, expires_at: null });
  }
}

function signedIn(account: Account | undefined, asUser?: string): Account & { token: string } {
  if (!account?.token || (asUser !== undefined && account.user_id !== asUser)) throw new SignedOutError();
  return account as Account & { token: string };
}
