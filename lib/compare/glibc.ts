/** glibc's malloc: replayed by the addon, and by a call each. */
import { LibcAllocator } from '../allocator/libc.js';
import { free, malloc, malloc_trim, malloc_usable_size, mallinfo2, poke, sbrk } from '../libc/index.js';
import { native } from '../native.js';
import {
  cellsOf,
  type Contender,
  type Ops,
  PAGE,
  type Placed,
  type Reach,
  rehearse,
  residentBytes,
  Walker,
} from './contender.js';
import { replayer, replayTelling } from './loop.js';

/** Smaller blocks are never mapped apart. @see mallopt(3), M_MMAP_THRESHOLD */
const MAPPED_FROM = 128 * 1024;
/** More than a thread's cache of freed blocks holds, which glibc does not count as free. */
const LISTED = 2 ** 20;
const ONE = Uint8Array.of(1);

const small = (size: number): number => Math.sign(size) * Math.min(Math.abs(size), MAPPED_FROM / 2);

/**
 * Takes what is free below the top of the heap, for good, so that the workload has one of its own; where that begins. What
 * Node has freed by now would hide what the workload needs. So would blocks of other threads' heaps that were freed here.
 */
function ownHeap(): bigint {
  const { keepcost, fordblks } = mallinfo2();
  const top = sbrk(0) - BigInt(keepcost);
  // Where the heap can't grow, no block is at its top: this ends all the same.
  let left = fordblks + LISTED;
  for (const size of sizesDownwards()) {
    while (left > 0 && !isBetween(malloc(size), top, sbrk(0))) left -= size;
  }
  return sbrk(0) - BigInt(mallinfo2().keepcost);
}

const isBetween = (block: bigint, start: bigint, end: bigint): boolean => block >= start && block < end;

/** Every size there is for small blocks; larger ones up to what surely isn't mapped. */
function* sizesDownwards(): Generator<number> {
  for (let size = MAPPED_FROM / 2; size > 1024; size /= 2) yield size;
  for (let size = 1024; size > 16; size -= 16) yield size - 8;
}

const bytesOf = (ops: Ops): Uint8Array => new Uint8Array(ops.buffer, ops.byteOffset, ops.byteLength);

/** All operations in one call, without a step back to JavaScript: what a C program would see. */
export class Batched implements Contender {
  readonly #replay: object;
  readonly #start: bigint;

  constructor(slots: number) {
    this.#replay = native.libc.replay_open(slots);
    this.#start = ownHeap();
  }

  walk(ops: Ops, samples: number): Reach {
    return native.libc.replay_walk(this.#replay, bytesOf(ops), this.#start, samples);
  }

  cells(cellBytes: number): Float64Array {
    return native.libc.replay_cells(this.#replay, this.#start, cellBytes);
  }

  run(ops: Ops, rounds: number): void {
    native.libc.replay_run(this.#replay, bytesOf(ops), rounds);
  }
}

/** A call for each operation, through LibcAllocator: what a JavaScript program sees. */
export class Calls implements Contender {
  readonly #heap = new LibcAllocator();
  readonly #slots: bigint[];
  readonly #start: bigint;
  /** Of blocks outside the heap, by slot, and in all. */
  readonly #outside = new Map<number, number>();
  readonly #walker = new Walker();
  #allOutside = 0;
  #end = 0;
  #peak = 0;
  #failed = 0;
  #timed: (() => void) | undefined;

  constructor(slots: number) {
    this.#slots = new Array<bigint>(slots).fill(0n);
    this.#start = ownHeap();
  }

  /**
   * Has replayed before, so that V8 has compiled by now. Small blocks only: to free a mapped one makes glibc map fewer later.
   */
  static rehearsed(slots: number, ops: Ops): Calls {
    const rehearsal = new Calls(slots);
    rehearse(
      rehearsal,
      ops.map((number, i) => (i % 2 === 0 ? number : small(number))),
    );
    for (const ptr of rehearsal.#slots) free(ptr);
    malloc_trim(0);
    return new Calls(slots);
  }

  walk(ops: Ops, samples: number): Reach {
    this.#walker.walk(
      ops,
      samples,
      (part) => (this.#failed += this.#replay(part)),
      () => residentBytes(this.#start, sbrk(0)) + this.#allOutside,
    );
    const { faults, resident } = this.#walker;
    return { peak: this.#peak, failed: this.#failed, faults, resident };
  }

  cells(cellBytes: number): number[] {
    return cellsOf(this.#blocks(), cellBytes);
  }

  *#blocks(): Generator<Placed> {
    const end = sbrk(0);
    for (const ptr of this.#slots)
      if (ptr >= this.#start && ptr < end) yield [Number(ptr - this.#start), malloc_usable_size(ptr)];
  }

  run(ops: Ops, rounds: number): void {
    this.#timed ??= replayer({ heap: this.#heap, slots: this.#slots, none: 0n }, ops);
    for (let i = 0; i < rounds; i++) this.#timed();
  }

  #replay(ops: Ops): number {
    return replayTelling(
      this.#heap,
      ops,
      this.#slots,
      0n,
      (ptr, size, slot) => this.#note(ptr, size, slot),
      (slot) => this.#setOutside(slot, 0),
    );
  }

  #note(ptr: bigint, size: number, slot: number): void {
    // glibc itself has written to the first page.
    for (let at = PAGE; at < size; at += PAGE) poke(ptr + BigInt(at), ONE);
    const inside = ptr >= this.#start && ptr < sbrk(0);
    const usable = malloc_usable_size(ptr);
    this.#setOutside(slot, inside ? 0 : usable);
    if (inside) this.#end = Math.max(this.#end, Number(ptr - this.#start) + usable);
    this.#peak = Math.max(this.#peak, this.#end + this.#allOutside);
  }

  #setOutside(slot: number, bytes: number): void {
    const old = this.#outside.get(slot) ?? 0;
    if (bytes === old) return;
    this.#allOutside += bytes - old;
    this.#outside.set(slot, bytes);
  }
}
