/** A heap made anew around the blocks that are known to be in use: what a crash left half done is put right so. */
import { link } from './bins.js';
import { corrupt } from './errors.js';
import { format } from './heap.js';
import {
  AFTER_FREE,
  ALIGNMENT,
  BLOCKS,
  FIRST,
  MAGIC_VALUE,
  MAX_UNITS,
  MIN_UNITS,
  PEAK,
  TOP,
  type Words,
} from './layout.js';

/**
 * `next` names the units of the blocks in use, by address, and 0 at the end. Only the lengths in their headers are
 * believed: everything between them becomes free, and the state and all lists are written again. Throws for a header that
 * can't be. It may be interrupted at any store, and begun again.
 */
export function rebuild(words: Words, alignment: 8 | 16, next: () => number): void {
  words.fill(0, 0, 2 * FIRST - 1);
  words[ALIGNMENT] = alignment;
  format(words, MAGIC_VALUE, words.length / 2);
  let end = FIRST; // of the block before
  let count = 0;
  for (let b = next(); b !== 0; b = next(), count++) {
    const n = words[2 * b - 1]! >>> 3;
    if (b < end || n < MIN_UNITS || b + n > words.length / 2)
      throw corrupt(8 * b, 'a block in use has lost its header');
    count += release(words, end, b);
    const header = (n << 3) | (b > end ? AFTER_FREE : 0);
    if (words[2 * b - 1] !== header) words[2 * b - 1] = header; // a page that is only read stays clean
    end = b + n;
  }
  words[BLOCKS] = count;
  words[TOP] = end;
  if (end > FIRST) words[PEAK] = end;
  words[2 * end - 1] = 0;
}

/** The gap from `start` to `end` as free blocks, more than one where it is too long for one; how many. */
function release(words: Words, start: number, end: number): number {
  let count = 0;
  for (let b = start; b < end; count++) {
    const n = end - b <= MAX_UNITS ? end - b : MAX_UNITS - 1;
    link(words, b, n, b === start ? 0 : AFTER_FREE);
    b += n;
  }
  return count;
}
