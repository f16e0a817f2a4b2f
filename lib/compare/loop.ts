/** The replays in JavaScript: one call of the allocator for each. */
import type { Allocator } from '../allocator/interface.js';

type Heap<Pointer extends number | bigint> = Pick<Allocator<Pointer>, 'malloc' | 'realloc' | 'free'>;

/** What each slot holds: an array, typed or not. */
export interface Slots<Pointer> {
  [slot: number]: Pointer;
}

/**
 * The timed one, of which a process wants one: then V8 knows what it calls, and takes these constants for such; a heap handed
 * over at each call it would have to ask for its parts, again and again.
 */
export function replayer<Pointer extends number | bigint>(
  contender: { heap: Heap<Pointer>; slots: Slots<Pointer>; none: Pointer },
  stream: Int32Array,
): () => void {
  const { heap, slots, none } = contender;
  const ops = stream;
  return () => {
    for (let i = 0; i < ops.length; i += 2) {
      const slot = ops[i]!;
      const size = ops[i + 1]!;
      if (size < 0) slots[slot] = heap.realloc(slots[slot]!, -size);
      else {
        const ptr = slots[slot]!;
        if (ptr !== none) heap.free(ptr);
        slots[slot] = size === 0 ? none : heap.malloc(size);
      }
    }
  };
}

/** The first one: tells of each new block, and of each that is freed; returns how many allocations got nothing. */
export function replayTelling<Pointer extends number | bigint>(
  heap: Heap<Pointer>,
  ops: Int32Array,
  slots: Slots<Pointer>,
  none: Pointer,
  allocated: (ptr: Pointer, size: number, slot: number) => void,
  freed: (slot: number) => void = () => {},
): number {
  let failed = 0;
  for (let i = 0; i < ops.length; i += 2) {
    const slot = ops[i]!;
    const size = ops[i + 1]!;
    const old = slots[slot]!;
    if (size >= 0 && old !== none) {
      heap.free(old);
      freed(slot);
      slots[slot] = none;
    }
    if (size === 0) continue;
    const ptr = size < 0 ? heap.realloc(old, -size) : heap.malloc(size);
    if (ptr === none) failed++;
    else allocated((slots[slot] = ptr), Math.abs(size), slot);
  }
  return failed;
}
