/** The call sites of a log, each kept once: bytes in, a small number out, text only for those who ask. */
import { mix } from './live.js';

/** The number of calls without a known caller. */
export const NO_SITE = 0;
/** Room for eight bytes to be compared: a return address is never as small as `[0xfff]`. */
export const SHORTEST_SITE = 8;

const FIRST_SLOTS = 1 << 10;
const FIRST_BYTES = 1 << 16;

export class Sites {
  /** The site's number; NO_SITE where the slot is empty. */
  #slots = new Int32Array(FIRST_SLOTS);
  /** All sites one behind the other, and where each begins; the last entry is where the next one will. */
  #pool = new DataView(new ArrayBuffer(FIRST_BYTES));
  readonly #starts = [0, 0];
  readonly #hashes = [0];
  /** Which site came after each one the last time, and another one that came before that. */
  readonly #next = [NO_SITE];
  readonly #other = [NO_SITE];
  #last = NO_SITE;

  /** How many sites there are, NO_SITE included. */
  get count(): number {
    return this.#hashes.length;
  }

  /**
   * The number of the site that begins at `from`, if it is one of the two that are likely; NO_SITE otherwise. Programs
   * allocate in loops: the guess is right nearly always, and saves looking for the site's end.
   */
  guess(view: DataView, from: number): number {
    const next = this.#next[this.#last] ?? NO_SITE;
    if (this.#isAt(next, view, from)) return (this.#last = next);
    const other = this.#other[this.#last] ?? NO_SITE;
    return this.#isAt(other, view, from) ? (this.#last = other) : NO_SITE;
  }

  /** To be called with what `guess` did not know. */
  learn(site: number): number {
    this.#other[this.#last] = this.#next[this.#last] ?? NO_SITE;
    this.#next[this.#last] = site;
    return (this.#last = site);
  }

  /** Bytes. */
  lengthOf(number: number): number {
    return (this.#starts[number + 1] ?? 0) - (this.#starts[number] ?? 0);
  }

  /** The number of the site that stands in `view` from `from` up to `to`; NO_SITE where it is a new one. */
  find(view: DataView, from: number, to: number): number {
    const hash = hashOf(view, from, to);
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] ?? NO_SITE;
      if (
        number === NO_SITE ||
        (this.#hashes[number] === hash &&
          this.lengthOf(number) === to - from &&
          this.#isSame(number, view, from))
      )
        return number;
    }
  }

  /** To be called with what `find` does not know. */
  add(view: DataView, from: number, to: number): number {
    const start = this.#starts[this.count] ?? 0;
    const end = start + to - from;
    if (end > this.#pool.byteLength) this.#growPool(end);
    new Uint8Array(this.#pool.buffer).set(
      new Uint8Array(view.buffer, view.byteOffset + from, to - from),
      start,
    );
    this.#starts.push(end);
    const number = this.#hashes.push(hashOf(view, from, to)) - 1;
    this.#next.push(NO_SITE);
    this.#other.push(NO_SITE);
    if (this.count * 2 > this.#slots.length) this.#growSlots();
    else this.#enter(number);
    return number;
  }

  /** All of them from that one on, by number. */
  texts(first = NO_SITE): string[] {
    return Array.from({ length: this.count - first }, (_, i) => this.text(first + i));
  }

  /** As it stands in the log, without the leading `@`; empty for calls without a known caller. */
  text(number: number): string {
    const [start = 0, end = start] = this.#starts.slice(number, number + 2);
    return Buffer.from(this.#pool.buffer, start, end - start).toString('utf8');
  }

  /**
   * Eight bytes at a time, as floating-point numbers: the only 64 bits that JavaScript compares without allocating. It
   * is exact: +0 equals -0, but no site has a NUL byte; what happens to be a NaN differs from itself and is given the
   * slow comparison.
   */
  #isAt(number: number, view: DataView, from: number): boolean {
    const pool = this.#pool;
    const start = this.#starts[number] ?? 0;
    const length = (this.#starts[number + 1] ?? 0) - start;
    if (number === NO_SITE || from + length > view.byteLength) return false;
    // The end first: there stands the address, in which sites differ.
    for (let i = length - 8; i > 0; i -= 8) {
      if (pool.getFloat64(start + i, true) !== view.getFloat64(from + i, true)) return false;
    }
    return pool.getFloat64(start, true) === view.getFloat64(from, true);
  }

  #isSame(number: number, view: DataView, from: number): boolean {
    const start = this.#starts[number] ?? 0;
    for (let i = this.lengthOf(number) - 1; i >= 0; i--) {
      if (this.#pool.getUint8(start + i) !== view.getUint8(from + i)) return false;
    }
    return true;
  }

  #enter(number: number): void {
    const mask = this.#slots.length - 1;
    let slot = (this.#hashes[number] ?? 0) & mask;
    while (this.#slots[slot] !== NO_SITE) slot = (slot + 1) & mask;
    this.#slots[slot] = number;
  }

  #growSlots(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let number = NO_SITE + 1; number < this.count; number++) this.#enter(number);
  }

  #growPool(needed: number): void {
    const pool = new Uint8Array(Math.max(needed, this.#pool.byteLength * 2));
    pool.set(new Uint8Array(this.#pool.buffer));
    this.#pool = new DataView(pool.buffer);
  }
}

/** Of the last bytes only: there stands the address, in which sites differ. */
function hashOf(view: DataView, from: number, to: number): number {
  return mix(view.getInt32(to - 8, true), view.getInt32(to - 4, true)) ^ (to - from);
}
