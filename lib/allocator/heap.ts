/**
 * Blocks: cutting them from the bins or from the top, merging them back, coalescing the cache.
 *
 *   take   find in a bin ─ cut off the rest ─┐
 *          else coalesce some of the cache, find again
 *          else carve from the top           ├→ a block in use
 *   give   merge with a FREE neighbour in front and behind, then into the top or a bin
 */
import { find, link, unlink } from './bins.js';
import { nextList, pop } from './cache.js';
import { corrupt } from './errors.js';
import * as layout from './layout.js';
import type { Words } from './layout.js';

// Taken over by name: V8 folds a module's own constants into machine code, imported ones it loads at each use.
const {
  AFTER_FREE,
  BLOCKS,
  CURSOR,
  END,
  FIRST,
  FLAGS,
  FREE,
  LIST_COUNT,
  LIST_MAP,
  MAGIC,
  MAX_UNITS,
  MIN_UNITS,
  PEAK,
  TOP,
} = layout;

/** Cached blocks that one call coalesces at most, some tens of nanoseconds each: the bound of its worst case. */
const MOST = 512;

/** A block of n units, in use; 0 where the heap ends too soon. */
export function take(words: Words, n: number): number {
  const b = find(words, n);
  if (b !== 0) return cut(words, b, n);
  if (words[TOP]! + n <= words[PEAK]!) return carve(words, n);
  // The more a request would raise the peak, the more work it is worth to avoid that.
  if (consolidate(words, Math.min(128 + (n >>> 2), MOST)) === 0) return carve(words, n);
  const found = find(words, n);
  return found !== 0 ? cut(words, found, n) : carve(words, n);
}

/** Takes the FREE block b out of its bin, for n units of it; what is left over is free again. */
function cut(words: Words, b: number, n: number): number {
  const length = unlink(words, b);
  if (length < n || b + length > words[TOP]!) throw corrupt(8 * b, 'a free block has a wrong length');
  words[2 * b - 1]! ^= FREE;
  words[2 * (b + length) - 1]! &= ~AFTER_FREE;
  split(words, b, length, n);
  return b;
}

/** Cuts the block b in use to n units if the rest can be a block; what is behind must not be FREE. */
function split(words: Words, b: number, length: number, n: number): void {
  if (length - n < MIN_UNITS) return;
  words[2 * b - 1] = (n << 3) | (words[2 * b - 1]! & AFTER_FREE);
  words[BLOCKS]!++;
  link(words, b + n, length - n, 0);
}

/** A new block at the top, or 0. */
export function carve(words: Words, n: number): number {
  const b = words[TOP]!;
  if (b + n > words[END]!) return 0;
  words[2 * b - 1] = (n << 3) | (words[2 * b - 1]! & AFTER_FREE);
  words[BLOCKS]!++;
  raise(words, b + n);
  return b;
}

/** The top has a header too, of length 0. */
function raise(words: Words, top: number): void {
  words[2 * top - 1] = 0;
  words[TOP] = top;
  if (top > words[PEAK]!) words[PEAK] = top;
}

/** Frees the block b, which is in no list. */
export function give(words: Words, b: number, header: number): void {
  let n = header >>> 3;
  let flag = header & AFTER_FREE;
  if (flag !== 0 && n + lengthInFront(words, b) <= MAX_UNITS) {
    const front = b - lengthInFront(words, b);
    flag = words[2 * front - 1]! & AFTER_FREE;
    n += unlink(words, front);
    vanish(words, b);
    b = front;
  }
  const behind = words[2 * (b + n) - 1]!;
  if ((behind & FREE) !== 0 && n + (behind >>> 3) <= MAX_UNITS) {
    const after = b + n;
    n += unlink(words, after);
    vanish(words, after);
  }
  if (b + n < words[TOP]!) return link(words, b, n, flag);
  vanish(words, b);
  words[2 * b - 1] = flag;
  words[TOP] = b;
}

function lengthInFront(words: Words, b: number): number {
  const length = words[2 * b - 2]!;
  if ((words[2 * (b - length) - 1]! & ~AFTER_FREE) !== ((length << 3) | FREE)) {
    throw corrupt(8 * b, 'the length of the free block in front is overwritten');
  }
  return length;
}

/** A header that is one no more is wiped: it must not look alive to a second free. */
function vanish(words: Words, b: number): void {
  words[2 * b - 1] = 0;
  words[BLOCKS]!--;
}

/**
 * Coalesces up to `most` cached blocks, list by list from where it last stopped; the number done. The round ends where it
 * began.
 */
export function consolidate(words: Words, most: number): number {
  const start = words[CURSOR]!;
  let list = nextList(words, start);
  let wrapped = false;
  let done = 0;
  while (done < most) {
    if (list === LIST_COUNT) {
      if (wrapped) break;
      wrapped = true;
      list = nextList(words, 0);
      continue;
    }
    const b = pop(words, list);
    if (b === 0) {
      words[LIST_MAP + (list >>> 5)]! &= ~(1 << list);
      list = nextList(words, list);
    } else {
      give(words, b, words[2 * b - 1]!);
      done++;
    }
  }
  words[CURSOR] = list % LIST_COUNT;
  return done;
}

/** Makes the block b in use n units long where it stands; false if what is behind is in the way. */
export function resize(words: Words, b: number, n: number): boolean {
  const length = words[2 * b - 1]! >>> 3;
  if (n <= length) {
    if (length - n >= MIN_UNITS) shrink(words, b, n);
    return true;
  }
  const after = b + length;
  const behind = words[2 * after - 1]!;
  const room = (behind & FREE) === 0 ? 0 : behind >>> 3;
  if (length + room < n && (after + room !== words[TOP]! || b + n > words[END]!)) return false;
  if (room !== 0) {
    unlink(words, after);
    vanish(words, after);
    words[2 * (after + room) - 1]! &= ~AFTER_FREE;
  }
  const whole = Math.max(length + room, n);
  words[2 * b - 1] = (whole << 3) | (words[2 * b - 1]! & FLAGS);
  if (b + whole > words[TOP]!) raise(words, b + whole);
  else split(words, b, whole, n);
  return true;
}

/** Frees the units of b beyond n, at least MIN_UNITS of them. */
export function shrink(words: Words, b: number, n: number): void {
  const header = words[2 * b - 1]!;
  const rest = ((header >>> 3) - n) << 3;
  words[2 * b - 1] = (n << 3) | (header & FLAGS);
  words[2 * (b + n) - 1] = rest;
  words[BLOCKS]!++;
  give(words, b + n, rest);
}

/** The block b in use, of which a later unit is to be the payload's begin: what is in front of it is freed. */
export function behead(words: Words, b: number, start: number): void {
  const header = words[2 * b - 1]!;
  words[2 * start - 1] = ((header >>> 3) - (start - b)) << 3;
  words[2 * b - 1] = ((start - b) << 3) | (header & FLAGS);
  words[BLOCKS]!++;
  give(words, b, words[2 * b - 1]!);
}

/** Coalesces the whole cache. */
export function consolidateAll(words: Words): void {
  while (consolidate(words, MOST) !== 0);
}

/** Starts a heap in zeros. */
export function format(words: Words, magic: number, end: number): void {
  words[TOP] = FIRST;
  words[PEAK] = FIRST;
  words[END] = end;
  words[MAGIC] = magic;
}
