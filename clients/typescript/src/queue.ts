import type { Accounts } from "./account.js";
import { Stamps } from "./clock.js";
import { ApiError, ConnectionError, SignedOutError } from "./errors.js";
import { CLIENT_ID, keysOf } from "./keys.js";
import { exclusive } from "./locks.js";
import type { components } from "./schema.js";
import type { Storage, Write } from "./storage.js";

type Schemas = components["schemas"];
export type Outcome = Schemas["SessionCompleted"];
type BatchResult = Schemas["SyncResult"];
type EventType = Schemas["OfflineEvent"]["event_type"];

/** An event as it waits, and as it is sent. */
export interface QueuedEvent {
  readonly event_id: string;
  readonly session_id: string;
  readonly event_type: EventType;
  readonly event_payload: Readonly<Record<string, unknown>>;
  readonly created_at: string;
}

/** An event that the server refused. It keeps it as well, and `retryRejected` has it judged anew. */
export interface RejectedEvent extends QueuedEvent {
  readonly error_code: string;
  readonly message: string;
}

/** How far a flush came. */
export type Flushed =
  | { readonly state: "done"; readonly sent: number }
  /** Later: no answer, a server's trouble, or a limit. */
  | { readonly state: "later"; readonly sent: number; readonly error: ApiError | ConnectionError }
  | { readonly state: "signed-out"; readonly sent: number }
  /** The request as a whole was refused: a defect of the client. The queue stays. */
  | { readonly state: "refused"; readonly sent: number; readonly error: ApiError };

const MOST = 500; // events a batch

/** Events from the moment they happen until the server has answered for them. */
export class Queue {
  readonly #stamps: Stamps;
  #recorded = 0;

  constructor(
    private readonly accounts: Accounts,
    private readonly storage: Storage,
    private readonly lock: string,
    private readonly now: () => number,
  ) {
    this.#stamps = new Stamps(now);
  }

  /** Stores an event; when the promise is fulfilled it survives a crash. `at` is when it happened, if not now. */
  async record(session_id: string, event_type: EventType, event_payload: object = {}, at?: Date): Promise<QueuedEvent> {
    const { queue } = keysOf(await this.#user());
    const created_at = this.#stamps.next(at);
    const event: QueuedEvent = { event_id: crypto.randomUUID(), session_id, event_type, event_payload: { ...event_payload }, created_at };
    this.#recorded += 1; // orders events of one time
    const key = `${queue}${created_at}/${String(this.#recorded).padStart(12, "0")}/${event.event_id}`;
    await this.storage.write([{ key, value: event }]);
    return event;
  }

  /** Events that wait, the oldest first. */
  async pending(limit = MOST): Promise<QueuedEvent[]> {
    const entries = await this.storage.list(keysOf(await this.#user()).queue, limit);
    return entries.map(([, value]) => value as QueuedEvent);
  }

  /** Events that were refused and not dismissed. */
  async rejected(limit = MOST): Promise<RejectedEvent[]> {
    const entries = await this.storage.list(keysOf(await this.#user()).rejected, limit);
    return entries.map(([, value]) => value as RejectedEvent);
  }

  /** Shows a refused event no more. */
  async dismissRejected(event_id: string): Promise<void> {
    await this.storage.write([{ key: keysOf(await this.#user()).rejected + event_id }]);
  }

  /** Has the server judge a refused event again; returns whether it is applied now. */
  async retryRejected(event_id: string): Promise<boolean> {
    const user = await this.#user();
    const path = `/api/sync/rejected/${encodeURIComponent(event_id)}/retry`;
    const { data } = (await this.accounts.send({ method: "POST", path }, user)) as { data: Schemas["RetriedEvent"] };
    if (data.status !== "applied") return false;
    await this.storage.write([{ key: keysOf(user).rejected + event_id }, ...outcomes(user, data.sessions)]);
    return true;
  }

  /** What a session brought that this device completed, once the server has told. */
  async outcome(session_id: string): Promise<Outcome | undefined> {
    return (await this.storage.get(keysOf(await this.#user()).outcomes + session_id)) as Outcome | undefined;
  }

  /** Sends what waits, until nothing does or something is in the way. An event leaves only for an answer about it. */
  flush(): Promise<Flushed> {
    return exclusive(`${this.lock}/flush`, async () => {
      let sent = 0;
      try {
        const user = await this.#user();
        for (let most = MOST; ; ) {
          const entries = (await this.storage.list(keysOf(user).queue, most)) as [string, QueuedEvent][];
          if (entries.length === 0) return { state: "done", sent };
          try {
            sent += await this.#send(user, entries);
          } catch (error) {
            if (!(error instanceof ApiError && error.status === 413)) throw error;
            if (entries.length === 1) await this.#refuse(user, entries[0]!, error);
            most = Math.max(1, Math.floor(entries.length / 2));
          }
        }
      } catch (error) {
        if (error instanceof SignedOutError) return { state: "signed-out", sent };
        if (error instanceof ConnectionError) return { state: "later", sent, error };
        if (error instanceof ApiError) return { state: error.temporary ? "later" : "refused", sent, error };
        throw error; // the storage's: nothing was taken out of the queue
      }
    });
  }

  async #send(user: string, entries: [string, QueuedEvent][]): Promise<number> {
    const body = {
      events: entries.map(([, event]) => event),
      client_id: await clientId(this.storage),
      sent_at: new Date(this.now()).toISOString(),
    };
    const answer = await this.accounts.send({ method: "POST", path: "/api/sync/offline", body }, user);
    const { results, sessions } = (answer as { data: BatchResult }).data;
    const answered = new Map(results.map((result) => [result.event_id, result]));
    const writes: Write[] = outcomes(user, sessions);
    let done = 0;
    for (const [key, event] of entries) {
      const result = answered.get(event.event_id);
      if (result === undefined) continue; // not answered for: it stays
      done += 1;
      writes.push({ key });
      if (result.status === "rejected") writes.push(rejection(user, event, result.error_code, result.message));
    }
    if (done === 0) throw new ConnectionError("The answer speaks of none of the events.");
    await this.storage.write(writes);
    return done;
  }

  /** Takes out an event that is too large to be sent even alone. */
  async #refuse(user: string, [key, event]: [string, QueuedEvent], error: ApiError): Promise<void> {
    await this.storage.write([{ key }, rejection(user, event, error.code, error.message)]);
  }

  async #user(): Promise<string> {
    const account = await this.accounts.current();
    if (account === undefined) throw new SignedOutError();
    return account.user_id;
  }
}

function rejection(user: string, event: QueuedEvent, code: string | null, message: string | null): Write {
  const value: RejectedEvent = { ...event, error_code: code ?? "REJECTED", message: message ?? "" };
  return { key: keysOf(user).rejected + event.event_id, value };
}

function outcomes(user: string, sessions: readonly Outcome[]): Write[] {
  return sessions.map((value) => ({ key: keysOf(user).outcomes + value.session_id, value }));
}

/** The name of this installation, made once. */
async function clientId(storage: Storage): Promise<string> {
  const known = await storage.get(CLIENT_ID);
  if (typeof known === "string") return known;
  const value = crypto.randomUUID();
  await storage.write([{ key: CLIENT_ID, value }]);
  return value;
}
