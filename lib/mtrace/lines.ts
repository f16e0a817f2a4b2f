/** Whole lines out of chunks that may end anywhere. */

/** Paths have at most 4 KiB, mangled C++ names seldom more than a few: a longer line is none of mtrace's. */
export const LONGEST_LINE = 1 << 16;
/** Small enough to stay in the processor's cache. */
const CAPACITY = 1 << 18;
/** Eight bytes at a time may be read anywhere in a line. */
const SLACK = 8;
const NEWLINE = 0x0a;

export class Lines {
  /** A Buffer, whose indexOf is the fastest way to a byte. */
  readonly bytes = Buffer.alloc(CAPACITY + SLACK);
  readonly #parse: (start: number, end: number) => void;
  readonly #skipped: () => void;
  #used = 0;
  #skipping = false;

  /** `parse` is given the place of one or more whole lines in `bytes`; `skipped` is called for one that is too long. */
  constructor(parse: (start: number, end: number) => void, skipped: () => void) {
    this.#parse = parse;
    this.#skipped = skipped;
  }

  /** What is there of a last line that has no end yet. */
  get rest(): Uint8Array {
    return this.bytes.subarray(0, this.#used);
  }

  /** Whether the input ended in the middle of a line. */
  get isCut(): boolean {
    return this.#skipping || this.#used > 0;
  }

  push(chunk: Uint8Array): void {
    for (let from = 0; from < chunk.length;) {
      const to = Math.min(chunk.length, from + CAPACITY - this.#used);
      this.#take(chunk.subarray(from, to));
      from = to;
    }
  }

  #take(part: Uint8Array): void {
    this.bytes.set(part, this.#used);
    const end = this.#used + part.lastIndexOf(NEWLINE) + 1;
    const used = this.#used + part.length;
    if (end === this.#used) return this.#keep(0, used);
    const start = this.#skipping ? this.#skipLine() : 0;
    if (end > start) this.#parse(start, end);
    this.#keep(end, used);
  }

  /** The rest of a line that is too long already, and the start of the next one. */
  #skipLine(): number {
    this.#skipping = false;
    this.#skipped();
    return this.bytes.indexOf(NEWLINE) + 1;
  }

  #keep(from: number, to: number): void {
    this.#skipping ||= to - from > LONGEST_LINE;
    this.#used = this.#skipping ? 0 : to - from;
    this.bytes.copyWithin(0, from, from + this.#used);
  }
}
