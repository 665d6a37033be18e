import { ApiError, ConnectionError } from "./errors.js";
import type { Flushed } from "./queue.js";
import { backoff, pause } from "./transport.js";

/** Flushes when online again, after something was recorded, and every few minutes; waits longer while it fails. */
export class Background {
  #stopped = true;
  #wake = new AbortController();
  #failures = 0;

  constructor(
    private readonly sync: () => Promise<Flushed>,
    private readonly interval: number,
    private readonly report: (result: Flushed | { state: "failed"; error: unknown }) => void,
  ) {}

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    globalThis.addEventListener?.("online", this.#online);
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    globalThis.removeEventListener?.("online", this.#online);
    this.#wake.abort();
  }

  /** Something was recorded. It waits its turn where the server is in trouble. */
  nudge(): void {
    if (this.#failures === 0) this.#wake.abort();
  }

  readonly #online = (): void => this.#wake.abort();

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#wake = new AbortController();
      const seconds = await this.#once();
      if (!this.#stopped) await pause(1000 * seconds, this.#wake.signal);
    }
  }

  /** Returns the seconds until the next time. */
  async #once(): Promise<number> {
    try {
      const result = await this.sync();
      this.report(result);
      this.#failures = result.state === "later" ? this.#failures + 1 : 0;
      return result.state === "later" ? backoff(this.#failures - 1, result.error) : this.interval;
    } catch (error) {
      this.report({ state: "failed", error });
      this.#failures += 1;
      return backoff(this.#failures - 1, error instanceof ApiError || error instanceof ConnectionError ? error : undefined);
    }
  }
}
