/** A naive model of malloc, run beside the real one: what is live, with which content. */
import type { TsAllocator } from '../../lib/allocator/index.js';

/** xorshift32: the same sequence for the same seed, everywhere. */
export function random(seed: number): (below: number) => number {
  let x = seed | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

interface Block {
  size: number;
  tag: number;
}

/** Does `steps` random operations and compares; `check()` after each. Sizes from 0 to some ten thousand, the small ones often. */
export class Model {
  readonly #live = new Map<number, Block>();
  readonly #pointers: number[] = [];

  constructor(
    private readonly heap: TsAllocator,
    private readonly next: (below: number) => number,
    private readonly most = 200,
  ) {}

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      this.#step();
      this.heap.check();
    }
  }

  drain(): void {
    while (this.#pointers.length > 0) this.#free();
  }

  #step(): void {
    const roll = this.next(10);
    const crowded = this.#pointers.length >= this.most;
    if (this.#pointers.length === 0 || (roll < 5 && !crowded)) this.#allocate(roll);
    else if (roll < 7 && !crowded) this.#reallocate();
    else this.#free();
  }

  #size(): number {
    return this.next(this.next(20) === 0 ? 20_000 : this.next(4) === 0 ? 2_000 : 100);
  }

  #allocate(roll: number): void {
    const size = this.#size();
    const alignment = 8 << this.next(8);
    const ptr =
      roll === 0
        ? this.heap.calloc(1, size)
        : roll === 1
          ? this.heap.memalign(alignment, size)
          : this.heap.malloc(size);
    if (ptr === 0) return;
    if (roll === 0 && this.#bytes(ptr, size).some((byte) => byte !== 0))
      throw new Error(`calloc: ${ptr} is dirty`);
    if (roll === 1 && ptr % alignment !== 0)
      throw new Error(`memalign: ${ptr} is not aligned to ${alignment}`);
    this.#add(ptr, size);
  }

  #reallocate(): void {
    const ptr = this.#take();
    const { size, tag } = this.#known(ptr);
    const wanted = this.#size();
    const moved = this.heap.realloc(ptr, wanted);
    this.#live.delete(ptr);
    if (wanted === 0) return;
    if (moved === 0) return this.#add(ptr, size);
    this.#verify(moved, Math.min(size, wanted), tag);
    this.#add(moved, wanted);
  }

  #free(): void {
    const ptr = this.#take();
    const { size, tag } = this.#known(ptr);
    this.#verify(ptr, size, tag);
    this.heap.free(ptr);
    this.#live.delete(ptr);
  }

  #add(ptr: number, size: number): void {
    if (this.#live.has(ptr)) throw new Error(`${ptr} is live already`);
    if (this.heap.malloc_usable_size(ptr) < size)
      throw new Error(`the block at ${ptr} is smaller than ${size}`);
    const tag = this.next(256);
    this.#bytes(ptr, size).fill(tag);
    this.#live.set(ptr, { size, tag });
    this.#pointers.push(ptr);
  }

  #take(): number {
    const [ptr] = this.#pointers.splice(this.next(this.#pointers.length), 1);
    if (ptr === undefined) throw new Error('nothing is live');
    return ptr;
  }

  #known(ptr: number): Block {
    const block = this.#live.get(ptr);
    if (block === undefined) throw new Error(`${ptr} is not live`);
    return block;
  }

  #verify(ptr: number, size: number, tag: number): void {
    if (this.#bytes(ptr, size).some((byte) => byte !== tag))
      throw new Error(`the block at ${ptr} was overwritten`);
  }

  #bytes(ptr: number, length: number): Uint8Array {
    return new Uint8Array(this.heap.buffer, ptr, length);
  }
}
