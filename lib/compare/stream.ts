/**
 * What an allocator is asked to do, as a stream of operations that can be replayed on any: pairs (slot, size). What a slot
 * holds is freed first; size 0 leaves it empty, a negative size reallocates. A stream ends with every slot empty, so that it
 * can be run again.
 */
export interface Workload {
  readonly name: string;
  readonly ops: Int32Array<ArrayBuffer>;
  readonly slots: number;
  /** Calls of malloc, realloc and free. */
  readonly calls: number;
  /** Blocks freed or reallocated. */
  readonly pairs: number;
  /** Most bytes live at once, as they were asked for. */
  readonly peakLive: number;
}

const FIRST_OPS = 1 << 16;

/** Writes a workload down, operation by operation. */
export class Stream {
  /** What each slot holds now, in bytes; 0 for an empty one. */
  readonly sizes: number[] = [];
  live = 0;
  #ops = new Int32Array(FIRST_OPS);
  #length = 0;
  #calls = 0;
  #pairs = 0;
  #peakLive = 0;

  /** Frees what the slot holds, and allocates unless `size` is 0. */
  set(slot: number, size: number): void {
    if (size > 0) this.#calls++;
    if (this.#note(slot, size)) this.#calls++;
    this.#push(slot, size);
  }

  /** Of a slot that holds something; `size` is not 0. */
  realloc(slot: number, size: number): void {
    this.#calls++;
    this.#note(slot, size);
    this.#push(slot, -size);
  }

  finish(name: string): Workload {
    this.sizes.forEach((size, slot) => size > 0 && this.set(slot, 0));
    return {
      name,
      ops: this.#ops.slice(0, this.#length),
      slots: this.sizes.length,
      calls: this.#calls,
      pairs: this.#pairs,
      peakLive: this.#peakLive,
    };
  }

  /** Whether the slot held something. */
  #note(slot: number, size: number): boolean {
    const old = this.sizes[slot] ?? 0;
    if (old > 0) this.#pairs++;
    this.sizes[slot] = size;
    this.live += size - old;
    this.#peakLive = Math.max(this.#peakLive, this.live);
    return old > 0;
  }

  #push(slot: number, size: number): void {
    if (this.#length === this.#ops.length) this.#grow();
    this.#ops[this.#length++] = slot;
    this.#ops[this.#length++] = size;
  }

  #grow(): void {
    const longer = new Int32Array(2 * this.#ops.length);
    longer.set(this.#ops);
    this.#ops = longer;
  }
}
