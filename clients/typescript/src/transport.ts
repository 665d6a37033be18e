import { ApiError, ConnectionError, type Problem } from "./errors.js";

/** One request, as JSON. */
export interface Request {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface TransportOptions {
  /** Where the API is, without a path. */
  readonly url: string;
  /** Another `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Milliseconds to wait for an answer; 30,000 without it. */
  readonly timeout?: number;
}

/** Sends requests and reads answers; repeats nothing. */
export class Transport {
  readonly url: string;
  readonly #fetch: typeof globalThis.fetch;
  readonly #timeout: number;

  constructor(options: TransportOptions) {
    this.url = options.url.replace(/\/+$/, "");
    this.#fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
    this.#timeout = options.timeout ?? 30_000;
  }

  /**
   * Returns the answer's body.
   *
   * @throws ApiError for an error of the API, ConnectionError where no whole answer came.
   */
  async send(request: Request): Promise<unknown> {
    const headers: Record<string, string> = { Accept: "application/json", ...request.headers };
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    if (body !== null) headers["Content-Type"] = "application/json";
    let response: Response;
    let answer: unknown;
    try {
      const signal = AbortSignal.timeout(this.#timeout);
      response = await this.#fetch(this.url + request.path, { method: request.method, headers, body, signal });
      answer = parsed(await response.text(), response.ok);
    } catch (error) {
      throw new ConnectionError(`${request.method} ${request.path} got no answer.`, { cause: error });
    }
    if (!response.ok) throw new ApiError(response.status, (answer ?? {}) as Partial<Problem>, response.headers);
    return answer;
  }
}

/** The JSON in `text`. An error without any comes from something before the API; a success without is cut off. */
function parsed(text: string, ok: boolean): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (ok) throw error;
    return undefined;
  }
}

/** Waits; `wake` ends it early. */
export function pause(milliseconds: number, wake?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (wake?.aborted) return resolve();
    const timer = setTimeout(done, milliseconds);
    wake?.addEventListener("abort", done, { once: true });
    function done(): void {
      clearTimeout(timer);
      wake?.removeEventListener("abort", done);
      resolve();
    }
  });
}

/** Seconds to wait before attempt `attempt` (from 0) is repeated: what the server says, or a random part of 1, 2, 4 … 300. */
export function backoff(attempt: number, error: unknown, random: () => number = Math.random): number {
  const asked = error instanceof ApiError ? error.retryAfter : undefined;
  return asked ?? random() * Math.min(300, 2 ** attempt);
}
