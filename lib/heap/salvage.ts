/** What is readable of a damaged heap, in a new file: blocks stay where they were, since others point there. */
import { existsSync } from 'node:fs';
import { FIRST } from '../allocator/layout.js';
import { ROOTS } from './header.js';
import { Heap } from './heap.js';
import { clearLive, isLive, walker } from './live.js';
import { attachDamaged } from './damaged.js';
import type { Region } from './region.js';
import { remake, undo, wordsOf } from './repair.js';
import { eachBlock } from './survey.js';

export interface Salvage {
  readonly blocks: number;
  readonly bytes: number;
  readonly roots: number;
  /** The header was damaged: the limit and where things lie were found out from the rest. */
  readonly guessed: boolean;
  /** Offsets of blocks whose headers are gone. */
  readonly lostBlocks: number[];
  /** Roots that named such blocks; and '?' where the list itself is broken. */
  readonly lostRoots: string[];
}

/** Reads the heap at `path`, which stays as it is, and writes what is whole of it to `target`, which must not exist. */
export function salvage(path: string, target: string): Salvage {
  if (existsSync(target)) {
    const message = `EEXIST: ${target} is there already; name a file that is not`;
    throw Object.assign(new Error(message), { code: 'EEXIST', errno: -17, syscall: 'open', path: target });
  }
  const { region, guessed } = attachDamaged(path);
  const lostBlocks = dropBroken(region);
  undo(region);
  lostBlocks.push(...dropBroken(region));
  remake(region);
  const heap = Heap.over(region, 'copy-on-write', path, { whole: true });
  try {
    const lostRoots = dropRoots(heap);
    if (guessed || lostRoots.includes('?')) adoptRoots(heap);
    heap.check();
    heap.snapshot(target);
    const { usedBlocks, usedBytes, roots } = heap.stats();
    return { blocks: usedBlocks, bytes: usedBytes, roots, guessed, lostBlocks, lostRoots };
  } finally {
    heap.close();
  }
}

/** Takes out of the live map what can't be a block. */
function dropBroken(region: Region): number[] {
  const words = wordsOf(region);
  const units = words.length / 2;
  const length = (unit: number): number => words[2 * unit - 1]! >>> 3;
  const isPossible = (unit: number): boolean => length(unit) >= 2 && unit + length(unit) <= units;
  const lost: number[] = [];
  const drop = (unit: number): void => {
    clearLive(region.live, 8 * unit);
    lost.push(8 * unit);
  };
  const next = walker(region.live, units);
  let last = 0; // the block before, if it is one
  for (let unit = next(); unit !== 0; unit = next()) {
    const end = last === 0 ? FIRST : last + length(last);
    if (unit < FIRST || !isPossible(unit)) drop(unit);
    else if (unit >= end) last = unit;
    // Two overlap: the first is believed if it ends where another begins.
    else if (end === units || isLive(region.live, 8 * end) || isPossible(end)) drop(unit);
    else {
      drop(last);
      last = unit;
    }
  }
  return lost;
}

function dropRoots(heap: Heap): string[] {
  const { header, words, live } = heap.region;
  const lost: string[] = [];
  if (heap.roots.brokenAt() !== 0) {
    const last = [...heap.roots.nodes()].at(-1);
    if (last === undefined) header[ROOTS] = 0;
    else words[last / 4] = 0;
    lost.push('?');
  }
  for (const { name, ptr } of heap.roots.list()) {
    if (isLive(live, ptr)) continue;
    heap.roots.delete(name);
    lost.push(name);
  }
  return lost;
}

/** Behind where the list of roots breaks off there may be more. */
function adoptRoots(heap: Heap): void {
  const listed = new Set(heap.roots.nodes());
  const others: number[] = [];
  eachBlock(heap.region, (ptr) => !listed.has(ptr) && others.push(ptr));
  for (const ptr of others) heap.roots.adopt(ptr);
}
