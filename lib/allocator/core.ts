/** malloc, calloc, realloc and free: what an allocator can't do without, in less than 3 kB. */
import { badNumber, badPointer, badHeap, corrupt, doubleFree } from './errors.js';
import { carve, consolidateAll, give, resize, take } from './heap.js';
import * as layout from './layout.js';
import type { Words } from './layout.js';

// Taken over by name: V8 folds a module's own constants into machine code, imported ones it loads at each use.
const AFTER_FREE = layout.AFTER_FREE;
const CACHED = layout.CACHED;
const FIRST = layout.FIRST;
const FREE = layout.FREE;
const LISTS = layout.LISTS;
const LIST_COUNT = layout.LIST_COUNT;
const LIST_MAP = layout.LIST_MAP;
const MIN_UNITS = layout.MIN_UNITS;
const TOP = layout.TOP;

/** Requests that surely fit the longest list's blocks, whatever the alignment. */
const CACHEABLE = 8 * LIST_COUNT - 24;

/** A heap of fixed size, with C's semantics. */
export class Core {
  // Not #private, and declared without a store: V8 takes the value of such a property of a constant object for a constant.
  declare protected words: Words;
  /** size + round >>> 3 & mask is a block's length in units: header, size, up to the alignment. */
  declare protected readonly round: number;
  declare protected readonly mask: number;

  /** `words`: a formatted heap. */
  constructor(words: Words) {
    const alignment = words[layout.ALIGNMENT]!;
    this.words = words;
    this.round = alignment + 3;
    this.mask = -alignment >> 3;
  }

  // The two that count. Their common case is one short function each, which V8 inlines where it is called; where the allocator
  // is a constant there, so are its words, and an access to one is a bounds check and a load.
  malloc(size: number): number {
    if (size >>> 0 === size && size < CACHEABLE) {
      const words = this.words;
      const n = ((size + this.round) >>> 3) & this.mask;
      const b = words[LISTS + n]!;
      if (b !== 0) {
        const header = words[2 * b - 1]!;
        if ((header & ~AFTER_FREE) === ((n << 3) | CACHED)) {
          words[LISTS + n] = words[2 * b]!;
          words[2 * b - 1] = header ^ CACHED;
          return 8 * b;
        }
      }
    }
    return this.#mallocUncached(size);
  }

  free(ptr: number): void {
    const words = this.words;
    const b = ptr >>> 3;
    if (8 * b === ptr && b >= FIRST && b < words[TOP]!) {
      const header = words[2 * b - 1]!;
      const n = header >>> 3;
      if ((header & (FREE | CACHED)) === 0 && n < LIST_COUNT && n >= MIN_UNITS) {
        words[2 * b] = words[LISTS + n]!;
        words[2 * b - 1] = header | CACHED;
        words[LIST_MAP + (n >>> 5)]! |= 1 << n;
        words[LISTS + n] = b;
        return;
      }
    }
    if (ptr !== 0) this.#freeUncached(ptr);
  }

  calloc(nmemb: number, size: number): number {
    const bytes = requested('nmemb', nmemb) * requested('size', size);
    const b = this.allocate(bytes);
    if (b !== 0) this.words.fill(0, 2 * b, 2 * b + ((bytes + 3) >>> 2));
    return 8 * b;
  }

  realloc(ptr: number, size: number): number {
    if (ptr === 0) return this.malloc(size);
    const b = this.blockAt(ptr);
    if (requested('size', size) === 0) return (this.free(ptr), 0);
    if (size > layout.MAX_REQUEST) return 0;
    return this.stretch(b, size) ? ptr : this.#move(b, size);
  }

  /** Makes room for units up to `end`; false if there is none. */
  protected grow(_end: number): boolean {
    return false;
  }

  #mallocUncached(size: number): number {
    this.attached();
    return 8 * this.allocate(requested('size', size));
  }

  #freeUncached(ptr: number): void {
    const b = this.blockAt(ptr);
    give(this.words, b, this.words[2 * b - 1]!);
  }

  protected units(size: number): number {
    const n = ((size + this.round) >>> 3) & this.mask;
    return n < MIN_UNITS ? MIN_UNITS : n;
  }

  /** A block of `size` bytes, in units from the buffer's start; 0 where there is no room. */
  protected allocate(size: number): number {
    return size > layout.MAX_REQUEST ? 0 : this.take(this.units(size));
  }

  protected take(n: number): number {
    const b = take(this.words, n);
    return b !== 0 ? b : this.#takeOrGrow(n);
  }

  /** The heap is full: it grows; or, the last resort, all of the cache is coalesced. */
  #takeOrGrow(n: number): number {
    if (this.grow(this.words[TOP]! + n)) return carve(this.words, n);
    consolidateAll(this.words);
    return take(this.words, n);
  }

  protected stretch(b: number, size: number): boolean {
    const n = this.units(size);
    return resize(this.words, b, n) || (this.#isLast(b) && this.grow(b + n) && resize(this.words, b, n));
  }

  #move(b: number, size: number): number {
    const target = this.allocate(size);
    if (target === 0) return 0;
    const words = this.words;
    const length = 2 * (words[2 * b - 1]! >>> 3) - 1;
    words.copyWithin(2 * target, 2 * b, 2 * b + length);
    this.free(8 * b);
    return 8 * target;
  }

  #isLast(b: number): boolean {
    return b + (this.words[2 * b - 1]! >>> 3) === this.words[TOP];
  }

  protected attached(): void {
    if (this.words.length === 0) throw badHeap('the buffer is detached');
  }

  /** The unit of the live block at ptr; throws for anything else. */
  protected blockAt(ptr: number): number {
    const words = this.words;
    this.attached();
    if (typeof ptr !== 'number') throw badNumber('ptr', ptr, 'an offset in the heap');
    const b = ptr / 8;
    if (!(b >= FIRST && b < words[TOP]!)) throw badPointer(ptr, 'is outside the blocks of this heap');
    if ((b | 0) !== b || (b & ~this.mask) !== 0)
      throw badPointer(ptr, `is no multiple of ${words[layout.ALIGNMENT]!}`);
    const header = words[2 * b - 1]!;
    const n = header >>> 3;
    if (n < MIN_UNITS || b + n > words[TOP]!) throw badPointer(ptr, 'is not the start of a block');
    if ((header & (FREE | CACHED)) !== 0) throw doubleFree(ptr);
    const next = words[2 * (b + n) - 1]!;
    if (b + n < words[TOP]! && (next >>> 3 < MIN_UNITS || b + n + (next >>> 3) > words[TOP]!)) {
      throw corrupt(8 * (b + n), 'the header is overwritten');
    }
    return b;
  }
}

/** `value` if it can be a size_t. */
export function requested(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 0) throw badNumber(name, value, 'an integer from 0 on');
  return value;
}
