/** The allocator: core.ts in memory that grows, and the rest of malloc's family. */
import { Backing, type HeapOptions } from './backing.js';
import { Core, requested } from './core.js';
import { badHeap, badNumber, invalid, noMemory } from './errors.js';
import { behead, consolidateAll, format, shrink } from './heap.js';
import { type Allocator, type HeapBlock, type HeapInfo, M_TOP_PAD } from './interface.js';
import {
  ALIGNMENT,
  END,
  FIRST,
  MAGIC,
  MAGIC_VALUE,
  MAX_REQUEST,
  MIN_UNITS,
  PEAK,
  TOP,
  type Words,
} from './layout.js';
import { check, info, walk } from './walk.js';

const PAGE = 4096;

/** A heap in a buffer. Pointers are byte offsets from the buffer's start; 0 is null. */
export class TsAllocator extends Core implements Allocator<number> {
  readonly kind = 'typescript';
  readonly #backing: Backing;
  #topPad = 0;

  constructor(options: HeapOptions = {}) {
    const backing = new Backing(options);
    super(started(backing.view(), options));
    this.#backing = backing;
  }

  /** The memory itself: views of it see what pointers point to. Another object after a growth of a WebAssembly.Memory. */
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    return this.#backing.buffer;
  }

  /** The highest byte offset that the heap has ever used. */
  get peak(): number {
    return 8 * this.words[PEAK]!;
  }

  /** realloc without moving: false, and the block as it was, where that can't be. */
  resize(ptr: number, size: number): boolean {
    const b = this.blockAt(ptr);
    return requested('size', size) <= MAX_REQUEST && this.stretch(b, size);
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
    return ptr === 0 ? 0 : (this.words[2 * this.blockAt(ptr) - 1]! >>> 3) * 8 - 4;
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
    if (8 * words[TOP]! > 8 * this.words[END]! && !this.grow(words[TOP]!))
      throw noMemory('malloc_set_state', state.length);
    const end = this.words[END]!;
    const peak = Math.max(this.words[PEAK]!, words[TOP]!);
    this.words.set(words);
    this.words[END] = end;
    this.words[PEAK] = peak;
    return 0;
  }

  check(): void {
    this.attached();
    check(this.words);
  }

  walk(): Generator<HeapBlock<number>> {
    return walk(this.words);
  }

  #aligned(alignment: number, size: number): number {
    if (alignment <= this.words[ALIGNMENT]!) return this.malloc(size);
    if (requested('size', size) + alignment > MAX_REQUEST) return 0;
    const n = this.units(size);
    const step = alignment >>> 3;
    const b = this.take(n + step + MIN_UNITS);
    if (b === 0) return 0;
    const start = b % step === 0 ? b : Math.ceil((b + MIN_UNITS) / step) * step;
    if (start !== b) behead(this.words, b, start);
    if ((this.words[2 * start - 1]! >>> 3) - n >= MIN_UNITS) shrink(this.words, start, n);
    return 8 * start;
  }

  /** Room for units up to `end`. */
  protected override grow(end: number): boolean {
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
}

/** The heap in `words`: a new one where there are zeros, otherwise the one that is there. */
function started(words: Words, { alignment, trusted }: HeapOptions): Words {
  if (isZero(words)) {
    if (alignment !== undefined && alignment !== 8 && alignment !== 16) {
      throw badNumber('alignment', alignment, '8 or 16');
    }
    words[ALIGNMENT] = alignment ?? 8;
    format(words, MAGIC_VALUE, words.length / 2);
    return words;
  }
  if (words[MAGIC] !== MAGIC_VALUE)
    throw badHeap('the buffer holds something else than a heap of this version');
  if (words[TOP]! * 2 > words.length)
    throw badHeap(`the buffer is truncated: the heap has ${8 * words[TOP]!} bytes`);
  if (alignment !== undefined && alignment !== words[ALIGNMENT]) {
    throw badHeap(`the heap in the buffer has an alignment of ${words[ALIGNMENT]!}`);
  }
  words[END] = words.length / 2;
  if (trusted !== true) check(words);
  return words;
}

const isPowerOfTwo = (x: number): boolean => x > 0 && Number.isInteger(Math.log2(x));

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
