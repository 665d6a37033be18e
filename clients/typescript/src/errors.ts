import type { components } from "./schema.js";

/** An error as the API tells it (RFC 9457). */
export type Problem = components["schemas"]["ProblemDetails"];

/** The API answered, and the answer is an error. Decide by `code`, show `message`. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** Such as `SESSION_ALREADY_ACTIVE`; `HTTP_502` where something before the API answered. */
  readonly code: string;
  /** Seconds that the server asks to wait. */
  readonly retryAfter: number | undefined;
  /** Quote it when you ask for help. */
  readonly requestId: string | undefined;

  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
    headers: Headers,
  ) {
    super(problem.message ?? `The server answered ${status}.`);
    this.code = problem.error_code ?? `HTTP_${status}`;
    const seconds = Number(headers.get("Retry-After") ?? NaN);
    this.retryAfter = Number.isFinite(seconds) ? seconds : undefined;
    this.requestId = problem.request_id ?? headers.get("X-Request-Id") ?? undefined;
  }

  /** Whether the same request may succeed later. */
  get temporary(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

/** No answer came: the request may have been carried out or not. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

/** Nobody is signed in (any more). What is in the queue stays there until the same user signs in again. */
export class SignedOutError extends Error {
  override readonly name = "SignedOutError";
  constructor() {
    super("Sign in first.");
  }
}
