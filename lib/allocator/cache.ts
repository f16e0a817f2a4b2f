/**
 * The cache: what was just freed, uncoalesced, by exact size. (Quick lists: C. B. Weinstock and W. A. Wulf, "QuickFit", 1988;
 * glibc's fastbins and tcache are their heirs.)
 *
 *   LIST_MAP  | 1 0 0 1 … |  a bit per list that may have blocks
 *   LISTS     [n] → block of n units → block of n units → 0
 *
 * Two things keep it from wasting memory, so that it needs no limit and no count (both in heap.ts). A miss takes the next
 * larger cached block, up to an eighth larger, whole: sizes borrow from each other. And before the heap would grow, some of
 * the cache is coalesced.
 */
import { corrupt } from './errors.js';
import * as layout from './layout.js';
import { lowestBit, type Words } from './layout.js';

// Taken over by name: V8 folds a module's own constants into machine code, imported ones it loads at each use.
const AFTER_FREE = layout.AFTER_FREE;
const CACHED = layout.CACHED;
const LIST_COUNT = layout.LIST_COUNT;
const LIST_MAP = layout.LIST_MAP;
const LISTS = layout.LISTS;

/** Takes the block that a list has on top, or 0; it is in use then. */
export function pop(words: Words, n: number): number {
  const b = words[LISTS + n]!;
  if (b === 0) return 0;
  const header = words[2 * b - 1]!;
  if ((header & ~AFTER_FREE) !== ((n << 3) | CACHED))
    throw corrupt(8 * b, 'a cached block has lost its header');
  words[LISTS + n] = words[2 * b]!;
  words[2 * b - 1] = header ^ CACHED;
  return b;
}

/** The first list from `list` on that may have blocks; LIST_COUNT if there is none. */
export function nextList(words: Words, list: number): number {
  let word = list >>> 5;
  let map = words[LIST_MAP + word]! & (-1 << list);
  while (map === 0) {
    if (++word === LIST_COUNT / 32) return LIST_COUNT;
    map = words[LIST_MAP + word]!;
  }
  return (word << 5) + lowestBit(map);
}
