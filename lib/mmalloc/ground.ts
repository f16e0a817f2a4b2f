/** What mmalloc's calls work on: a mapped heap, or the process's break. Pointers are addresses. */
import type { Address } from '../address.js';
import { noMemory } from '../allocator/errors.js';
import { GUARDED } from '../heap/header.js';
import type { Heap } from '../heap/heap.js';
import { outOfRange } from '../arguments.js';

/** struct mstats of GNU mmalloc. */
export interface Mstats {
  /** Bytes that the heap has. */
  readonly bytes_total: number;
  readonly chunks_used: number;
  readonly bytes_used: number;
  readonly chunks_free: number;
  readonly bytes_free: number;
}

export interface Ground {
  /** 0n where there is no room. */
  malloc(size: number): Address;
  realloc(ptr: Address, size: number): Address;
  free(ptr: Address): void;
  memalign(alignment: number, size: number): Address;
  /** The block's memory, all that is usable. */
  bytes(ptr: Address): Uint8Array;
  stats(): Mstats;
  check(): void;
  /** Blocks have guards behind them: mmcheck. */
  guarded: boolean;
}

/** Offsets of a buffer as addresses from `base` on; throws for what can't be one. */
export function offsetOf(ptr: Address, base: Address): number {
  const offset = ptr - base;
  if (offset <= 0n || offset > 2n ** 40n) throw outOfRange('ptr', 'an address in this heap', ptr);
  return Number(offset);
}

/** Only what divides the buffer's own address can be promised. */
export function checkAlignment(alignment: number, base: Address): void {
  if (alignment < 1 || base % BigInt(alignment) === 0n) return;
  throw outOfRange(
    'alignment',
    `a power of two that divides where the heap lies, 0x${base.toString(16)}`,
    alignment,
  );
}

export class MappedGround implements Ground {
  constructor(readonly heap: Heap) {}

  malloc(size: number): Address {
    return this.#given(this.heap.malloc(size));
  }
  realloc(ptr: Address, size: number): Address {
    return this.#given(this.heap.realloc(this.#offset(ptr), size));
  }
  free(ptr: Address): void {
    this.heap.free(this.#offset(ptr));
  }
  memalign(alignment: number, size: number): Address {
    checkAlignment(alignment, this.heap.address());
    return this.#given(this.heap.memalign(alignment, size));
  }
  bytes(ptr: Address): Uint8Array {
    return this.heap.view(this.#offset(ptr));
  }

  stats(): Mstats {
    const { length, usedBlocks, usedBytes, gaps, gapBytes, top } = this.heap.stats();
    return {
      bytes_total: length,
      chunks_used: usedBlocks,
      bytes_used: usedBytes,
      chunks_free: gaps,
      bytes_free: gapBytes + length - top,
    };
  }

  check(): void {
    this.heap.check();
  }
  get guarded(): boolean {
    return this.heap.region.header[GUARDED] === 1;
  }
  set guarded(guarded: boolean) {
    this.heap.region.header[GUARDED] = Number(guarded);
  }

  #offset(ptr: Address): number {
    return offsetOf(ptr, this.heap.address());
  }
  #given(offset: number): Address {
    return offset === 0 ? 0n : this.heap.address(offset);
  }
}

/** C's NULL with ENOMEM. */
export function orNoMemory(call: string, size: number, ptr: Address): Address {
  if (ptr === 0n) throw noMemory(call, size);
  return ptr;
}
