/**
 * The default heap: at the process's break, which glibc's malloc moves too. Where it did so in between, what sbrk gives is not
 * behind what there was, and becomes a segment of its own.
 */
import type { Address } from '../address.js';
import type { Room } from '../allocator/backing.js';
import { badPointer } from '../allocator/errors.js';
import { TsAllocator } from '../allocator/ts_allocator.js';
import { sbrk } from '../libc/brk.js';
import { view } from '../libc/memory.js';
import { checkAlignment, type Ground, type Mstats } from './ground.js';

const STEP = 2 ** 20;
/** Of a segment's start. */
const ALIGNED = 65_536n;

class Segment implements Room {
  length = 0;
  readonly allocator: TsAllocator;
  readonly base: Address;

  constructor(atLeast: number) {
    const length = Math.ceil(atLeast / STEP) * STEP;
    // More than is wanted by one alignment, so that it can begin wherever the break is.
    const got = sbrk(length + Number(ALIGNED));
    this.base = got + ((ALIGNED - (got % ALIGNED)) % ALIGNED);
    this.length = Number(got + BigInt(length) + ALIGNED - this.base);
    this.allocator = new TsAllocator({ room: this });
  }

  get buffer(): ArrayBuffer {
    return view(this.base, this.length);
  }

  holds(ptr: Address): boolean {
    return ptr >= this.base && ptr < this.base + BigInt(this.length);
  }

  resize(bytes: number): boolean {
    const end = this.base + BigInt(this.length);
    // By half, since a view of each length stays as long as the memory does: for ever.
    const more =
      bytes <= this.length ? 0 : Math.ceil(Math.max(bytes - this.length, this.length / 2) / STEP) * STEP;
    // What another thread's malloc takes between the two calls, we have lost for nothing.
    if (more <= 0 || sbrk(0) !== end || sbrk(more) !== end) return false;
    this.length += more;
    return true;
  }
}

export class BreakGround implements Ground {
  guarded = false;
  readonly #segments: Segment[] = [];

  malloc(size: number): Address {
    return this.#allocate(size, (allocator) => allocator.malloc(size));
  }

  realloc(ptr: Address, size: number): Address {
    const segment = this.#of(ptr);
    const offset = Number(ptr - segment.base);
    const there = segment.allocator.realloc(offset, size);
    if (there !== 0 || size === 0) return there === 0 ? 0n : segment.base + BigInt(there);
    const bytes = this.bytes(ptr);
    const target = this.malloc(size);
    if (target === 0n) return 0n;
    this.bytes(target).set(bytes.subarray(0, size));
    segment.allocator.free(offset);
    return target;
  }

  free(ptr: Address): void {
    const segment = this.#of(ptr);
    segment.allocator.free(Number(ptr - segment.base));
  }

  memalign(alignment: number, size: number): Address {
    checkAlignment(alignment, ALIGNED);
    return this.#allocate(size + alignment, (allocator) => allocator.memalign(alignment, size));
  }

  bytes(ptr: Address): Uint8Array {
    const { allocator, base } = this.#of(ptr);
    const offset = Number(ptr - base);
    return new Uint8Array(allocator.buffer, offset, allocator.malloc_usable_size(offset));
  }

  stats(): Mstats {
    const sum = { bytes_total: 0, chunks_used: 0, bytes_used: 0, chunks_free: 0, bytes_free: 0 };
    for (const { allocator } of this.#segments) {
      const info = allocator.mallinfo2();
      sum.bytes_total += info.arena;
      sum.bytes_used += info.uordblks;
      sum.bytes_free += info.fordblks;
      for (const { state } of allocator.walk()) sum[state === 'used' ? 'chunks_used' : 'chunks_free']++;
    }
    return sum;
  }

  check(): void {
    for (const { allocator } of this.#segments) allocator.check();
  }

  /** From the newest segment to the oldest, and then from one more. */
  #allocate(size: number, from: (allocator: TsAllocator) => number): Address {
    for (const { allocator, base } of this.#segments) {
      const offset = from(allocator);
      if (offset !== 0) return base + BigInt(offset);
    }
    if (size > 2 ** 32) return 0n;
    const segment = new Segment(size + Number(ALIGNED));
    this.#segments.unshift(segment);
    const offset = from(segment.allocator);
    return offset === 0 ? 0n : segment.base + BigInt(offset);
  }

  #of(ptr: Address): Segment {
    const segment = this.#segments.find((each) => each.holds(ptr));
    if (segment === undefined) throw badPointer(Number(ptr), 'is outside the default heap');
    return segment;
  }
}
