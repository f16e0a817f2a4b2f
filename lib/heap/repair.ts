/**
 * What a crash leaves behind. Every operation changes the live map in one store, at the moment when it counts:
 *
 *   malloc   … the allocator makes a block …   its bit is set      before: the block is free again
 *   free     its bit is cleared                … the allocator frees it …
 *   realloc  in place: the header's length     that moves: MOVE_FROM until the new block has the content, then as free
 *   roots    the node is complete before the one store that links it
 *
 * kill -9 stops a thread between two of its stores, and what was stored is in the page cache. So repairing is: undo a move
 * that was under way, and rebuild the allocator's state and lists around the blocks that the map has.
 */
import { rebuild } from '../allocator/rebuild.js';
import { type Words } from '../allocator/layout.js';
import { MOVE_FROM, MOVE_TO, PENDING, ROOTS } from './header.js';
import { clearLive, setLive, walker } from './live.js';
import type { Region } from './region.js';

/** The arena's words that are there. */
export function wordsOf(region: Region): Words {
  region.follow();
  return region.words.subarray(0, region.length / 4);
}

/** May be interrupted, and begun again. */
export function repair(region: Region): void {
  undo(region);
  remake(region);
}

/** What was under way has not happened. */
export function undo(region: Region): void {
  region.follow();
  const { header, live } = region;
  const from = header[MOVE_FROM]!;
  if (from !== 0) {
    setLive(live, 8 * from);
    clearLive(live, 8 * header[MOVE_TO]!);
  }
  const pending = header[PENDING]!;
  if (pending !== 0 && !isChained(wordsOf(region), header[ROOTS]!, pending)) clearLive(live, 8 * pending);
  region.settle();
  header[MOVE_FROM] = 0;
  header[PENDING] = 0;
}

/** The allocator's state and lists, from the live map and the blocks' headers. */
export function remake(region: Region): void {
  rebuild(wordsOf(region), region.facts.alignment, walker(region.live, region.length / 8));
}

/** The node at `unit` is in the list of roots. */
function isChained(words: Words, first: number, unit: number): boolean {
  const seen = new Set<number>();
  for (let each = first; each > 0 && !seen.has(each); each = words[2 * each] ?? 0) {
    if (each === unit) return true;
    seen.add(each);
  }
  return false;
}
