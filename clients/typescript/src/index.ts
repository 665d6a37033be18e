/** StudySync's client: the API with its types, and a queue for what happens offline. */

import { Accounts } from "./account.js";
import { Api } from "./api.js";
import { Background } from "./background.js";
import { Changes } from "./changes.js";
import { ApiError, ConnectionError, SignedOutError } from "./errors.js";
import { Queue, type Flushed } from "./queue.js";
import type { components } from "./schema.js";
import type { Storage } from "./storage.js";
import { pause, Transport, type TransportOptions } from "./transport.js";

export type { Account } from "./account.js";
export type { Change, Copy, Kind } from "./changes.js";
export { ApiError, ConnectionError, SignedOutError, type Problem } from "./errors.js";
export { IndexedDbStorage } from "./indexeddb.js";
export type { Flushed, Outcome, QueuedEvent, RejectedEvent } from "./queue.js";
export type { components, operations, paths } from "./schema.js";
export { MemoryStorage, type Storage, type Write } from "./storage.js";

/** The version of the API that the types are of. */
export const VERSION = "1.0.0";

type Schemas = components["schemas"];
type Payloads = { start: Schemas["StartPayload"]; complete: Schemas["CompletePayload"] };
type Plain = Exclude<Schemas["OfflineEvent"]["event_type"], keyof Payloads>;

export interface Options extends TransportOptions {
  /** Where tokens, queue and copies are kept. */
  readonly storage: Storage;
  /** Tells this client's data and locks from another's in the same origin; `studysync` without it. */
  readonly name?: string;
  /** Milliseconds since 1970, by the device's clock. */
  readonly now?: () => number;
  /** Seconds between two flushes in the background; 120 without it. */
  readonly interval?: number;
  /** Is told what became of each flush in the background. */
  readonly onSync?: (result: Flushed | { state: "failed"; error: unknown }) => void;
}

/** One user's StudySync on this device. */
export class StudySync {
  /** Signing in and out. */
  readonly accounts: Accounts;
  /** Every call of the API, for what is done online. */
  readonly api: Api;
  /** What happened on this device and is not answered for. */
  readonly queue: Queue;
  /** The account as it stands, for screens that work offline. */
  readonly changes: Changes;
  readonly #background: Background;

  constructor(options: Options) {
    const { storage, now = Date.now, name = "studysync" } = options;
    this.accounts = new Accounts(new Transport(options), storage, name);
    this.api = new Api(this.accounts);
    this.queue = new Queue(this.accounts, storage, name, now);
    this.changes = new Changes(this.accounts, storage, name);
    this.#background = new Background(() => this.sync(), options.interval ?? 120, options.onSync ?? (() => undefined));
  }

  /** Begins a session, on this device and at once; returns its id. Everything of it goes through the queue from now on. */
  async start(payload: Schemas["StartPayload"] = {}, at?: Date): Promise<string> {
    const session_id = crypto.randomUUID();
    await this.queue.record(session_id, "start", payload, at);
    this.#background.nudge();
    return session_id;
  }

  /** Records what happened in a session: a break, a heartbeat, that it was abandoned. */
  async record(session_id: string, event_type: Plain, at?: Date): Promise<void> {
    await this.queue.record(session_id, event_type, {}, at);
    if (event_type !== "heartbeat") this.#background.nudge();
  }

  /** Ends a session. `queue.outcome` has what it brought after the next flush. */
  async complete(session_id: string, payload: Schemas["CompletePayload"] = {}, at?: Date): Promise<void> {
    await this.queue.record(session_id, "complete", payload, at);
    this.#background.nudge();
  }

  /**
   * Records a heartbeat about every `seconds` until `signal` is aborted or the session is no longer this device's
   * concern; each pause is up to a quarter longer or shorter, since a machine's regularity looks like a machine.
   */
  async beat(session_id: string, signal: AbortSignal, seconds = 60): Promise<void> {
    for (;;) {
      await pause(1000 * seconds * (0.75 + Math.random() / 2), signal);
      if (signal.aborted) return;
      await this.record(session_id, "heartbeat");
    }
  }

  /** Sends what waits, then takes over what changed. */
  async sync(): Promise<Flushed> {
    const result = await this.queue.flush();
    if (result.state !== "done") return result;
    try {
      await this.changes.catchUp();
    } catch (error) {
      if (error instanceof SignedOutError) return { state: "signed-out", sent: result.sent };
      if (error instanceof ConnectionError || (error instanceof ApiError && error.temporary)) {
        return { state: "later", sent: result.sent, error };
      }
      throw error;
    }
    return result;
  }

  /** Syncs in the background from now on. */
  run(): void {
    this.#background.start();
  }

  /** Ends what `run` began. */
  stop(): void {
    this.#background.stop();
  }
}
