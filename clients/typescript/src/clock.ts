/** Gives times in UTC with six digits of a second, each later than the one before, so that their order is that of events. */
export class Stamps {
  #last = 0; // microseconds

  constructor(private readonly now: () => number = Date.now) {}

  /** The time now, or of `at`. */
  next(at?: Date): string {
    if (at) return stamp(1000 * at.getTime());
    const now = 1000 * this.now();
    // A clock that was set back by more than a second was put right: then it counts.
    this.#last = now <= this.#last && this.#last - now < 1_000_000 ? this.#last + 1 : now;
    return stamp(this.#last);
  }
}

function stamp(microseconds: number): string {
  const rest = String(microseconds % 1000).padStart(3, "0");
  return new Date(Math.floor(microseconds / 1000)).toISOString().replace("Z", `${rest}Z`);
}
