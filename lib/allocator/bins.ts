/**
 * The bins: coalesced free blocks, by size. Two-level segregated fit (M. Masmano, I. Ripoll, A. Crespo, J. Real: "TLSF: a
 * new dynamic memory allocator for real-time systems", ECRTS 2004), both levels numbered through:
 *
 *   bin    2 … 31   32 33 … 47    48 … 63     64 …        units: one size a bin, then 16 bins a doubling
 *   units  2 … 31   32 34 … 62    64 … 124    128 …
 *
 *   BIN_SUMMARY  a bit per word of …  BIN_MAP  a bit per bin:  the next bin that has a block is found in two steps
 *   BINS         a doubly linked list each, the latest block first
 */
import { corrupt } from './errors.js';
import * as layout from './layout.js';
import type { Words } from './layout.js';

// Taken over by name: V8 folds a module's own constants into machine code, imported ones it loads at each use.
const AFTER_FREE = layout.AFTER_FREE;
const BIN_MAP = layout.BIN_MAP;
const BIN_SUMMARY = layout.BIN_SUMMARY;
const BINS = layout.BINS;
const FREE = layout.FREE;

export function binOf(n: number): number {
  if (n < 32) return n;
  const log = 31 - Math.clz32(n);
  return 32 + ((log - 5) << 4) + ((n >>> (log - 4)) & 15);
}

/**
 * A free block of at least n units, or 0. In n's own bin only the first is looked at: that keeps it constant time.
 * 31 - clz32(x & -x) is the number of x's lowest set bit; as a function it isn't inlined here.
 */
export function find(words: Words, n: number): number {
  let bin = binOf(n);
  const first = words[BINS + bin]!;
  if (first !== 0 && words[2 * first - 1]! >>> 3 >= n) return first;
  bin++;
  let word = bin >>> 5;
  let map = words[BIN_MAP + word]! & (-1 << bin);
  if (map === 0) {
    const summary = words[BIN_SUMMARY]! & (-2 << word);
    if (summary === 0) return 0;
    word = 31 - Math.clz32(summary & -summary);
    map = words[BIN_MAP + word]!; // 0 if the summary is wrong: what comes of it is no block of its bin, and unlink says so
  }
  return words[BINS + (word << 5) + 31 - Math.clz32(map & -map)]!;
}

/** Makes b a free block of n units and puts it in its bin. `flag` is AFTER_FREE or 0. */
export function link(words: Words, b: number, n: number, flag: number): void {
  words[2 * b - 1] = (n << 3) | flag | FREE;
  words[2 * (b + n) - 2] = n;
  words[2 * (b + n) - 1]! |= AFTER_FREE;
  const bin = binOf(n);
  const next = words[BINS + bin]!;
  words[2 * b] = next;
  words[2 * b + 1] = 0;
  words[BINS + bin] = b;
  if (next !== 0) {
    words[2 * next + 1] = b;
    return;
  }
  words[BIN_MAP + (bin >>> 5)]! |= 1 << bin;
  words[BIN_SUMMARY]! |= 1 << (bin >>> 5);
}

/** Takes the FREE block b out of its bin; its header stays as it is. Returns its length. */
export function unlink(words: Words, b: number): number {
  const header = words[2 * b - 1]!;
  const n = header >>> 3;
  const next = words[2 * b]!;
  const previous = words[2 * b + 1]!;
  const bin = previous === 0 ? BINS + binOf(n) : 2 * previous;
  if ((header & FREE) === 0 || words[bin] !== b) throw corrupt(8 * b, 'a free block is not in its bin');
  words[bin] = next;
  if (next !== 0) words[2 * next + 1] = previous;
  else if (previous === 0) unmark(words, bin - BINS);
  return n;
}

function unmark(words: Words, bin: number): void {
  const word = bin >>> 5;
  const map = words[BIN_MAP + word]! & ~(1 << bin);
  words[BIN_MAP + word] = map;
  if (map === 0) words[BIN_SUMMARY]! &= ~(1 << word);
}
