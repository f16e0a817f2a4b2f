/** Random operations on a heap, and whether one has happened, or has not. */
import { expect } from 'vitest';
import type { Heap } from '../../lib/heap/index.js';

/** What a heap holds: blocks with their content, and roots. */
export interface Held {
  readonly blocks: Map<number, Uint8Array>;
  readonly roots: Map<string, number>;
}

/** The blocks without those of the roots' list. */
export function held(heap: Heap): Held {
  const nodes = new Set(heap.roots.nodes());
  const used = [...heap.walk()].filter(({ ptr, state }) => state === 'used' && !nodes.has(ptr));
  return {
    blocks: new Map(used.map(({ ptr }) => [ptr, heap.view(ptr).slice()])),
    roots: new Map(heap.roots.list().map(({ name, ptr }) => [name, ptr])),
  };
}

export interface Operation {
  readonly name: string;
  readonly run: () => void;
  /** The block whose content may have been cut to `kept` bytes, in either of its places. */
  readonly resized?: { readonly from: number; readonly kept: number };
}

export const fill = (heap: Heap, ptr: number, tag: number): void =>
  void (ptr !== 0 && heap.view(ptr).fill(tag));

export function choose(heap: Heap, { blocks, roots }: Held, next: (below: number) => number): Operation {
  const pointers = [...blocks.keys()].filter((ptr) => ![...roots.values()].includes(ptr));
  const chosen = pointers[next(pointers.length)] ?? 0;
  const size = next(next(4) === 0 ? 9000 : 120);
  const alignment = 64 << next(4);
  const root = `root ${next(5)}`;
  const roll = next(12);
  if (roll < 4 || chosen === 0) return { name: `malloc ${size}`, run: () => void heap.malloc(size) };
  if (roll === 4) return { name: `memalign ${size}`, run: () => void heap.memalign(alignment, size) };
  if (roll < 7) return { name: `free ${chosen}`, run: () => heap.free(chosen) };
  if (roll < 10) {
    const kept = Math.min(size, blocks.get(chosen)?.length ?? 0);
    return {
      name: `realloc ${chosen} ${size}`,
      run: () => void heap.realloc(chosen, size + 1),
      resized: { from: chosen, kept },
    };
  }
  if (roll === 10) return { name: `set ${root}`, run: () => heap.roots.set(root, chosen) };
  return { name: `delete ${root}`, run: () => void heap.roots.delete(root) };
}

/** `now` is one of `allowed`: every block in place, no other, and those that were there `before` with their content. */
export function isOneOf(now: Held, allowed: Held[], before: Held, { resized }: Operation): void {
  const same = (whole: Held): boolean =>
    [...now.blocks.keys()].join() === [...whole.blocks.keys()].join() &&
    [...now.roots].sort().join() === [...whole.roots].sort().join();
  expect(allowed.some(same)).toBe(true);
  for (const [ptr, bytes] of before.blocks) {
    const found = now.blocks.get(ptr);
    if (found !== undefined && ptr !== resized?.from) expect(Buffer.compare(found, bytes), `${ptr}`).toBe(0);
  }
  if (resized === undefined) return;
  const moved = [...now.blocks.keys()].find((ptr) => !before.blocks.has(ptr));
  const content = now.blocks.get(moved ?? resized.from)?.subarray(0, resized.kept);
  expect(
    Buffer.compare(content ?? Buffer.alloc(0), before.blocks.get(resized.from)!.subarray(0, resized.kept)),
  ).toBe(0);
}
