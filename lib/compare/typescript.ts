/** TsAllocator, over memory whose address is known: it can be asked what of it is resident. */
import { TsAllocator } from '../allocator/browser.js';
import {
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_PRIVATE,
  mmap,
  munmap,
  NULL,
  PROT_READ,
  PROT_WRITE,
  view,
} from '../libc/index.js';
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

/** Offsets fit in 32 bits with a sign. */
const ROOM = 2 ** 31 - PAGE;

export class TypeScript implements Contender {
  readonly #start = mmap(
    NULL,
    ROOM,
    PROT_READ | PROT_WRITE,
    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
    -1,
    0,
  );
  readonly #bytes = new Uint8Array(view(this.#start, ROOM));
  readonly #heap = new TsAllocator({ buffer: this.#bytes.buffer });
  readonly #slots: Int32Array;
  readonly #walker = new Walker();
  #failed = 0;
  #timed: (() => void) | undefined;

  constructor(slots: number) {
    this.#slots = new Int32Array(slots).fill(0); // so that its pages are there
  }

  /** Has replayed on another heap before, so that V8's page faults are not taken for this one's. */
  static rehearsed(slots: number, ops: Ops): TypeScript {
    const rehearsal = new TypeScript(slots);
    rehearse(rehearsal, ops);
    munmap(rehearsal.#start, ROOM);
    return new TypeScript(slots);
  }

  walk(ops: Ops, samples: number): Reach {
    const heap = this.#heap;
    const end = () => this.#start + BigInt(heap.peak);
    this.#walker.walk(
      ops,
      samples,
      (part) => {
        this.#failed += replayTelling(heap, part, this.#slots, 0, (ptr, size) => this.#touch(ptr, size));
      },
      () => residentBytes(this.#start, end()),
    );
    const { faults, resident } = this.#walker;
    return { peak: heap.peak, failed: this.#failed, faults, resident };
  }

  cells(cellBytes: number): number[] {
    return cellsOf(this.#blocks(), cellBytes);
  }

  *#blocks(): Generator<Placed> {
    for (const ptr of this.#slots) if (ptr !== 0) yield [ptr, this.#heap.malloc_usable_size(ptr)];
  }

  run(ops: Ops, rounds: number): void {
    this.#timed ??= replayer({ heap: this.#heap, slots: this.#slots, none: 0 }, ops);
    for (let i = 0; i < rounds; i++) this.#timed();
  }

  #touch(ptr: number, size: number): void {
    const bytes = this.#bytes;
    for (let at = ptr; at < ptr + size; at += PAGE) bytes[at] = 1;
  }
}
