import type { Accounts } from "./account.js";
import { ApiError, ConnectionError } from "./errors.js";
import type { paths } from "./schema.js";
import { backoff, pause } from "./transport.js";

type Method = "get" | "post" | "patch" | "delete";
type PathWith<M extends Method> = {
  [P in keyof paths]: paths[P] extends { [K in M]: { responses: unknown } } ? P : never;
}[keyof paths];
type Operation<M extends Method, P extends PathWith<M>> = paths[P] extends { [K in M]: infer O } ? O : never;

type Json<T> = T extends { content: { "application/json": infer Body } } ? Body : never;
type Body<O> = O extends { requestBody: infer B } ? { body: Json<B> } : O extends { requestBody?: infer B } ? { body?: Json<NonNullable<B>> } : unknown;
type InPath<O> = O extends { parameters: { path: infer T } } ? { path: T } : unknown;
type InQuery<O> = O extends { parameters: { query?: infer T } } ? ([T] extends [undefined] ? unknown : { query?: NonNullable<T> }) : unknown;
type Options<O> = InPath<O> & InQuery<O> & Body<O> & { idempotencyKey?: string };
type Arguments<O> = object extends Options<O> ? [options?: Options<O>] : [options: Options<O>];
type Success<O> = O extends { responses: infer R } ? Json<R[keyof R & (200 | 201 | 202)]> : never;

interface Loose {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  idempotencyKey?: string;
}

const ATTEMPTS = 4;
const MOST = 10; // seconds to wait before a repeat; beyond it the caller is told instead

/**
 * The whole API by method and path, with the types of the OpenAPI document:
 * `await api.get("/api/users/{user_id}", { path: { user_id } })`.
 *
 * What got no answer, or one that says later, is repeated a few times; writes carry an `Idempotency-Key` and are carried
 * out once. Throws ApiError, ConnectionError and SignedOutError.
 */
export class Api {
  constructor(private readonly accounts: Accounts) {}

  /** Reads. */
  get<P extends PathWith<"get">>(path: P, ...[options]: Arguments<Operation<"get", P>>): Promise<Success<Operation<"get", P>>> {
    return this.#call("GET", path, options);
  }

  /** Creates, or does. */
  post<P extends PathWith<"post">>(path: P, ...[options]: Arguments<Operation<"post", P>>): Promise<Success<Operation<"post", P>>> {
    return this.#call("POST", path, options);
  }

  /** Changes a part. */
  patch<P extends PathWith<"patch">>(path: P, ...[options]: Arguments<Operation<"patch", P>>): Promise<Success<Operation<"patch", P>>> {
    return this.#call("PATCH", path, options);
  }

  /** Deletes. */
  delete<P extends PathWith<"delete">>(path: P, ...[options]: Arguments<Operation<"delete", P>>): Promise<Success<Operation<"delete", P>>> {
    return this.#call("DELETE", path, options);
  }

  async #call<T>(method: string, template: string, options: Loose = {}): Promise<T> {
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(options.path?.[name])));
    const headers: Record<string, string> = {};
    if (method !== "GET") headers["Idempotency-Key"] = options.idempotencyKey ?? crypto.randomUUID();
    for (let attempt = 0; ; attempt += 1) {
      try {
        return (await this.accounts.send({ method, path: path + query(options.query), body: options.body, headers })) as T;
      } catch (error) {
        const temporary = error instanceof ConnectionError || (error instanceof ApiError && error.temporary);
        const seconds = backoff(attempt, error);
        if (!temporary || attempt + 1 >= ATTEMPTS || seconds > MOST) throw error;
        await pause(1000 * seconds);
      }
    }
  }
}

function query(values: Record<string, unknown> = {}): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}
