/**
 * The cache: what was just freed, uncoalesced, by exact size. (Quick lists: C. B. Weinstock and W. A. Wulf, "QuickFit", 1988;
 * glibc's fastbins and tcache are their heirs.)
 *
 *   LIST_MAP  | 1 0 0 1 … |  a bit per list that may have blocks
 *   LISTS     [n] → block of n units → block of n units → 0
 *
 * Two things keep it from wasting memory, so that it needs no limit and no count. A miss takes the next larger cached block,
 * up to an eighth larger, whole: sizes borrow from each other. And before the heap's peak would rise, some of the cache is
 * coalesced (heap.ts).
 */
import { corrupt } from './errors.js';
import * as layout from './layout.js';
import { lowestBit, type Words } from './layout.js';

// Taken over by name: V8 folds a module's own constants into machine code, imported ones it loads at each use.
const { AFTER_FREE, CACHED, LIST_COUNT, LIST_MAP, LISTS } = layout;

/** The block that a list has on top, or 0; it is in use then. */
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

/** A cached block of n units to an eighth more, the smallest; or 0. It looks at the map's words one by one. */
export function popNear(words: Words, n: number): number {
  const last = Math.min(n + (n >>> 3), LIST_COUNT - 1);
  let word = n >>> 5;
  let map = words[LIST_MAP + word]! & (-1 << n);
  for (;;) {
    while (map === 0) {
      if (++word > last >>> 5) return 0;
      map = words[LIST_MAP + word]!;
    }
    const list = (word << 5) + 31 - Math.clz32(map & -map);
    if (list > last) return 0;
    const b = pop(words, list);
    if (b !== 0) return b;
    map &= map - 1;
    words[LIST_MAP + word]! &= ~(1 << list);
  }
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
