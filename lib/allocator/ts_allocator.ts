/** The allocator: argument checks and C's semantics over heap.ts; the fast paths of malloc and free over cache.ts. */
import { Backing, type HeapOptions } from './backing.js';
import { badHeap, badNumber, badPointer, corrupt, doubleFree, invalid, noMemory } from './errors.js';
import { behead, carve, consolidateAll, format, give, resize, shrink, take } from './heap.js';
import { type Allocator, type HeapBlock, type HeapInfo, M_TOP_PAD } from './interface.js';
import * as layout from './layout.js';
import type { Words } from './layout.js';
import { check, info, walk } from './walk.js';

// Taken over by name: V8 folds a module's own constants into machine code, imported ones it loads at each use.
const {
  AFTER_FREE,
  ALIGNMENT,
  CACHED,
  END,
  FIRST,
  FREE,
  LISTS,
  LIST_COUNT,
  LIST_MAP,
  MAGIC,
  MAGIC_VALUE,
  MAX_REQUEST,
  MIN_UNITS,
  PEAK,
  TOP,
} = layout;

const PAGE = 4096;
/** Requests that surely fit the longest list's blocks, whatever the alignment. */
const CACHEABLE = 8 * LIST_COUNT - 24;

/** A heap in a buffer. Pointers are byte offsets from the buffer's start; 0 is null. */
export class TsAllocator implements Allocator<number> {
  readonly kind = 'typescript';
  readonly #backing: Backing;
  // Not #private, and declared without a store: V8 takes the value of such a property of a constant object for a constant.
  declare private words: Words;
  /** size + round >>> 3 & mask is a block's length in units: header, size, up to the alignment. */
  declare private readonly round: number;
  declare private readonly mask: number;
  #topPad = 0;

  constructor(options: HeapOptions = {}) {
    this.#backing = new Backing(options);
    this.words = this.#backing.view();
    if (isZero(this.words)) this.#format(options.alignment ?? 8);
    else this.#adopt(options);
    const alignment = this.words[ALIGNMENT]!;
    this.round = alignment + 3;
    this.mask = alignment === 16 ? -2 : -1;
  }

  /** The memory itself: views of it see what pointers point to. Another object after a growth of a WebAssembly.Memory. */
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    return this.#backing.buffer;
  }

  /** The highest byte offset that the heap has ever used. */
  get peak(): number {
    return 8 * this.words[PEAK]!;
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
    const b = this.#allocate(bytes);
    if (b !== 0) this.words.fill(0, 2 * b, 2 * b + ((bytes + 3) >>> 2));
    return 8 * b;
  }

  realloc(ptr: number, size: number): number {
    if (ptr === 0) return this.malloc(size);
    const b = this.#blockAt(ptr);
    if (requested('size', size) === 0) return (this.free(ptr), 0);
    if (size > MAX_REQUEST) return 0;
    return this.#resize(b, size) ? ptr : this.#move(b, size);
  }

  /** realloc without moving: false, and the block as it was, where that can't be. */
  resize(ptr: number, size: number): boolean {
    const b = this.#blockAt(ptr);
    return requested('size', size) <= MAX_REQUEST && this.#resize(b, size);
  }

  reallocarray(ptr: number, nmemb: number, size: number): number {
    const bytes = requested('nmemb', nmemb) * requested('size', size);
    return bytes > MAX_REQUEST ? 0 : this.realloc(ptr, bytes);
  }

  memalign(alignment: number, size: number): number {
    const wanted = requested('alignment', alignment);
    if (wanted > 2 ** 31) return 0;
    return this.#aligned(wanted <= 1 ? 1 : 2 ** (32 - Math.clz32(wanted - 1)), size);
  }

  posix_memalign(alignment: number, size: number): number {
    if (!isPowerOfTwo(requested('alignment', alignment)) || alignment < 8) {
      throw invalid('posix_memalign', `the alignment ${alignment} is no power of two from 8 on`);
    }
    const ptr = this.#aligned(alignment, size);
    if (ptr === 0) throw noMemory('posix_memalign', size);
    return ptr;
  }

  aligned_alloc(alignment: number, size: number): number {
    if (!isPowerOfTwo(requested('alignment', alignment))) {
      throw invalid('aligned_alloc', `the alignment ${alignment} is no power of two`);
    }
    return this.#aligned(alignment, size);
  }

  valloc(size: number): number {
    return this.#aligned(PAGE, size);
  }

  pvalloc(size: number): number {
    return this.#aligned(PAGE, Math.max(1, Math.ceil(requested('size', size) / PAGE)) * PAGE);
  }

  malloc_usable_size(ptr: number): number {
    return ptr === 0 ? 0 : (this.words[2 * this.#blockAt(ptr) - 1]! >>> 3) * 8 - 4;
  }

  malloc_trim(pad: number): 0 | 1 {
    requested('pad', pad);
    const words = this.words;
    consolidateAll(words);
    if (!this.#backing.shrink(8 * words[TOP]! + pad)) return 0;
    this.#look();
    return 1;
  }

  mallinfo2(): HeapInfo {
    return info(this.words);
  }

  mallopt(param: number, value: number): 0 | 1 {
    if (param !== M_TOP_PAD || !Number.isSafeInteger(value) || value < 0) return 0;
    this.#topPad = value;
    return 1;
  }

  malloc_get_state(): Uint8Array {
    return new Uint8Array(this.buffer, 0, 8 * this.words[TOP]!).slice();
  }

  malloc_set_state(state: Uint8Array): 0 {
    const words = wordsOf(state);
    if (words[ALIGNMENT] !== this.words[ALIGNMENT]) throw badHeap('the state is of another alignment');
    check(words);
    if (8 * words[TOP]! > 8 * this.words[END]! && !this.#grow(words[TOP]!))
      throw noMemory('malloc_set_state', state.length);
    const end = this.words[END]!;
    const peak = Math.max(this.words[PEAK]!, words[TOP]!);
    this.words.set(words);
    this.words[END] = end;
    this.words[PEAK] = peak;
    return 0;
  }

  check(): void {
    this.#attached();
    check(this.words);
  }

  walk(): Generator<HeapBlock<number>> {
    return walk(this.words);
  }

  #mallocUncached(size: number): number {
    this.#attached();
    return 8 * this.#allocate(requested('size', size));
  }

  #freeUncached(ptr: number): void {
    const b = this.#blockAt(ptr);
    give(this.words, b, this.words[2 * b - 1]!);
  }

  #units(size: number): number {
    const n = ((size + this.round) >>> 3) & this.mask;
    return n < MIN_UNITS ? MIN_UNITS : n;
  }

  /** A block of `size` bytes, in units from the buffer's start; 0 where there is no room. */
  #allocate(size: number): number {
    return size > MAX_REQUEST ? 0 : this.#take(this.#units(size));
  }

  #take(n: number): number {
    const b = take(this.words, n);
    return b !== 0 ? b : this.#takeOrGrow(n);
  }

  /** The heap is full: it grows; or, the last resort, all of the cache is coalesced. */
  #takeOrGrow(n: number): number {
    if (this.#grow(this.words[TOP]! + n)) return carve(this.words, n);
    consolidateAll(this.words);
    return take(this.words, n);
  }

  #aligned(alignment: number, size: number): number {
    if (alignment <= this.words[ALIGNMENT]!) return this.malloc(size);
    if (requested('size', size) + alignment > MAX_REQUEST) return 0;
    const n = this.#units(size);
    const step = alignment >>> 3;
    const b = this.#take(n + step + MIN_UNITS);
    if (b === 0) return 0;
    const start = b % step === 0 ? b : Math.ceil((b + MIN_UNITS) / step) * step;
    if (start !== b) behead(this.words, b, start);
    if ((this.words[2 * start - 1]! >>> 3) - n >= MIN_UNITS) shrink(this.words, start, n);
    return 8 * start;
  }

  #resize(b: number, size: number): boolean {
    const n = this.#units(size);
    return resize(this.words, b, n) || (this.#isLast(b) && this.#grow(b + n) && resize(this.words, b, n));
  }

  #move(b: number, size: number): number {
    const target = this.#allocate(size);
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

  /** Room for units up to `end`. */
  #grow(end: number): boolean {
    const bytes = 8 * end;
    if (!this.#backing.reach(bytes + this.#topPad) && !this.#backing.reach(bytes)) return false;
    this.#look();
    return true;
  }

  /** The buffer's length has changed. */
  #look(): void {
    this.words = this.#backing.view();
    this.words[END] = this.words.length / 2;
  }

  #attached(): void {
    if (this.words.length === 0) throw badHeap('the buffer is detached');
  }

  /** The unit of the live block at ptr; throws for anything else. */
  #blockAt(ptr: number): number {
    const words = this.words;
    this.#attached();
    if (typeof ptr !== 'number') throw badNumber('ptr', ptr, 'an offset in the heap');
    const b = ptr / 8;
    if (!(b >= FIRST && b < words[TOP]!)) throw badPointer(ptr, 'is outside the blocks of this heap');
    if (!Number.isInteger(ptr / words[ALIGNMENT]!))
      throw badPointer(ptr, `is no multiple of ${words[ALIGNMENT]!}`);
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

  #format(alignment: number): void {
    if (alignment !== 8 && alignment !== 16) throw badNumber('alignment', alignment, '8 or 16');
    this.words[ALIGNMENT] = alignment;
    format(this.words, MAGIC_VALUE, this.words.length / 2);
  }

  /** Goes on with the heap that is in the buffer. */
  #adopt({ alignment, trusted }: HeapOptions): void {
    const words = this.words;
    if (words[MAGIC] !== MAGIC_VALUE)
      throw badHeap('the buffer holds something else than a heap of this version');
    if (words[TOP]! * 2 > words.length)
      throw badHeap(`the buffer is truncated: the heap has ${8 * words[TOP]!} bytes`);
    if (alignment !== undefined && alignment !== words[ALIGNMENT]) {
      throw badHeap(`the heap in the buffer has an alignment of ${words[ALIGNMENT]!}`);
    }
    words[END] = words.length / 2;
    if (trusted !== true) check(words);
  }
}

const isPowerOfTwo = (x: number): boolean => x > 0 && Number.isInteger(Math.log2(x));

/** `value` if it can be a size_t. */
function requested(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 0) throw badNumber(name, value, 'an integer from 0 on');
  return value;
}

function isZero(words: Words): boolean {
  return words.subarray(0, 2 * FIRST).every((word) => word === 0);
}

/** A copy of a saved state as words. */
function wordsOf(state: Uint8Array): Words {
  const words = new Int32Array(state.slice().buffer, 0, state.length >>> 2);
  if (words[MAGIC] !== MAGIC_VALUE) throw badHeap('the state is not of a heap of this version');
  if (state.length !== 8 * words[TOP]!)
    throw badHeap(`the state is truncated: ${state.length} of ${8 * words[TOP]!} bytes`);
  words[END] = words[TOP]!;
  words[PEAK] = words[TOP]!;
  return words;
}
