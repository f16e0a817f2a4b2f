/** A point in time that several steps share; it can be brought forward. */
export class Deadline {
  #at: number;

  /** `milliseconds` from now. */
  constructor(milliseconds: number) {
    this.#at = performance.now() + milliseconds;
  }

  /** Milliseconds left, at least 1: a timeout of 0 often means none. */
  get left(): number {
    return Math.max(1, Math.ceil(this.#at - performance.now()));
  }

  get passed(): boolean {
    return performance.now() >= this.#at;
  }

  /** At most `milliseconds` from now. */
  shorten(milliseconds: number): void {
    this.#at = Math.min(this.#at, performance.now() + milliseconds);
  }
}
