/**
 * Blocks: finding and cutting them, merging them back, coalescing the cache.
 *
 *   take   a cached block of about the size, whole
 *          else find in a bin ─ cut off the rest ─┐
 *          else coalesce some of the cache, find  ├→ a block in use; and some more for the cache,
 *          else carve from the top ───────────────┘  the second time in a row that a size is cut off
 *   give   merge with a FREE neighbour in front and behind, then into the top or a bin
 */
import { find, link, unlink } from './bins.js';
import { nextList, pop } from './cache.js';
import { corrupt } from './errors.js';
import * as layout from './layout.js';
import type { Words } from './layout.js';

// Taken over by name: V8 folds a module's own constants into machine code, imported ones it loads at each use.
const AFTER_FREE = layout.AFTER_FREE;
const BLOCKS = layout.BLOCKS;
const CACHED = layout.CACHED;
const CURSOR = layout.CURSOR;
const CUT = layout.CUT;
const END = layout.END;
const FREE = layout.FREE;
const LEVEL = layout.LEVEL;
const LIST_COUNT = layout.LIST_COUNT;
const LIST_MAP = layout.LIST_MAP;
const LISTS = layout.LISTS;
const MAX_UNITS = layout.MAX_UNITS;
const MIN_UNITS = layout.MIN_UNITS;
const PEAK = layout.PEAK;
const TOP = layout.TOP;

/** What one call coalesces at most, in cached blocks that lie side by side: the bound of its worst case. */
const MOST = 512;
/** What a block costs, in the same measure, that has to be merged with what is around it. */
const ALONE = 4;
/** Blocks that are cut off for the cache at once, at most. */
const STOCK = 15;
/** Units from which on a hole is worth some of the cache, wherever the top is. */
const LARGE = 256;

/**
 * A block of n units, in use; 0 where the heap ends too soon.
 *
 * All that a malloc does which the list of its size can't serve is in this one function, and its parts are not functions of
 * their own, for V8's sake: what has more than 460 bytes of bytecode is called, not inlined, so that malloc, in front of it,
 * stays short enough to be inlined itself where it is called. Taken apart it is half as fast.
 */
export function take(words: Words, n: number): number {
  if (n < LIST_COUNT) {
    // A cached block of n units to an eighth more, the smallest. It looks at the map's words one by one.
    const last = Math.min(n + (n >>> 3), LIST_COUNT - 1);
    let word = n >>> 5;
    let map = words[LIST_MAP + word]! & (-1 << n);
    for (;;) {
      while (map === 0 && word < last >>> 5) map = words[LIST_MAP + ++word]!;
      const list = (word << 5) + 31 - Math.clz32(map & -map);
      if (map === 0 || list > last) break;
      const b = words[LISTS + list]!;
      if (b !== 0) {
        const header = words[2 * b - 1]!;
        if ((header & ~AFTER_FREE) !== ((list << 3) | CACHED))
          throw corrupt(8 * b, 'a cached block has lost its header');
        words[LISTS + list] = words[2 * b]!;
        words[2 * b - 1] = header ^ CACHED;
        return b;
      }
      map &= map - 1;
      words[LIST_MAP + word]! &= ~(1 << list);
    }
  }
  let b = find(words, n);
  if (b === 0) {
    const top = words[TOP]! + n;
    if (top <= words[PEAK]! && top <= words[LEVEL]! && n < LARGE) return carve(words, n);
    // Room below the top is worth some work.
    if (!consolidate(words)) return carve(words, n);
    b = find(words, n);
    if (b === 0) return carve(words, n);
  }
  const length = unlink(words, b);
  if (length < n || b + length > words[TOP]!) throw corrupt(8 * b, 'a free block has a wrong length');
  const flag = words[2 * b - 1]! & AFTER_FREE;
  if (length - n < MIN_UNITS) {
    words[2 * b - 1] = (length << 3) | flag;
    words[2 * (b + length) - 1]! &= ~AFTER_FREE;
  } else {
    words[2 * b - 1] = (n << 3) | flag;
    words[BLOCKS]!++;
    const rest = words[CUT] === n ? stock(words, b + n, b + length, n) : b + n;
    words[CUT] = n;
    link(words, rest, b + length - rest, 0);
  }
  return b;
}

/**
 * The second block of n units in a row that no list had: more will follow. Cuts them off the units from `start` to `end`
 * into their list, which is empty, an eighth of the units at most. Returns where the rest begins.
 */
function stock(words: Words, start: number, end: number, n: number): number {
  const last = start + Math.min(STOCK * n, (end - start) >> 3);
  if (start + n > last || n >= LIST_COUNT) return start;
  words[LIST_MAP + (n >>> 5)]! |= 1 << n;
  words[LISTS + n] = start;
  let b = start;
  for (; b + n <= last; b += n) {
    words[2 * b - 1] = (n << 3) | CACHED;
    words[2 * b] = b + n;
    words[BLOCKS]!++;
  }
  words[2 * (b - n)] = 0;
  return b;
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
  if (words[LEVEL]! > levelAbove(b)) words[LEVEL] = levelAbove(b);
}

/** A sixteenth more. */
const levelAbove = (top: number): number => top + (top >>> 4);

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
 * Coalesces some of the cache, list by list from where it last stopped, and says whether it did. The round ends where it
 * began. What was freed in order comes out as neighbours: they are put together, and go to a bin once.
 */
function consolidate(words: Words): boolean {
  let list = words[CURSOR]!;
  let wrapped = false;
  let effort = MOST;
  let run = 0; // a block in use, of neighbours so far
  while (effort > 0) {
    const b = pop(words, list);
    if (b !== 0) {
      const joined = run === 0 ? b : join(words, run, b, list);
      if (joined === 0) give(words, run, words[2 * run - 1]!);
      effort -= joined === 0 ? ALONE : 1;
      run = joined === 0 ? b : joined;
      continue;
    }
    words[LIST_MAP + (list >>> 5)]! &= ~(1 << list);
    list = nextList(words, list);
    if (list < LIST_COUNT) continue;
    if (wrapped) break;
    wrapped = true;
    list = 0; // which is always empty
  }
  if (run !== 0) give(words, run, words[2 * run - 1]!);
  words[CURSOR] = list % LIST_COUNT;
  words[LEVEL] = levelAbove(words[TOP]!);
  return run !== 0;
}

/** The block b of n units, in use, and the run in front of it or behind as one block; 0 where they are no neighbours. */
function join(words: Words, run: number, b: number, n: number): number {
  const length = words[2 * run - 1]! >>> 3;
  const first = Math.min(b, run);
  const second = Math.max(b, run);
  if (first + (first === b ? n : length) !== second) return 0;
  words[2 * first - 1] = ((length + n) << 3) | (words[2 * first - 1]! & AFTER_FREE);
  vanish(words, second);
  return first;
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
  words[2 * b - 1] = (whole << 3) | (words[2 * b - 1]! & layout.FLAGS);
  if (b + whole > words[TOP]!) raise(words, b + whole);
  else if (whole - n >= MIN_UNITS) shrink(words, b, n);
  return true;
}

/** Frees the units of b beyond n, at least MIN_UNITS of them. */
export function shrink(words: Words, b: number, n: number): void {
  const header = words[2 * b - 1]!;
  const rest = ((header >>> 3) - n) << 3;
  words[2 * b - 1] = (n << 3) | (header & layout.FLAGS);
  words[2 * (b + n) - 1] = rest;
  words[BLOCKS]!++;
  give(words, b + n, rest);
}

/** The block b in use, of which a later unit is to be the payload's begin: what is in front of it is freed. */
export function behead(words: Words, b: number, start: number): void {
  const header = words[2 * b - 1]!;
  words[2 * start - 1] = ((header >>> 3) - (start - b)) << 3;
  words[2 * b - 1] = ((start - b) << 3) | (header & layout.FLAGS);
  words[BLOCKS]!++;
  give(words, b, words[2 * b - 1]!);
}

/** Coalesces the whole cache. */
export function consolidateAll(words: Words): void {
  while (consolidate(words));
}

/** Starts a heap in zeros. */
export function format(words: Words, magic: number, end: number): void {
  words[TOP] = layout.FIRST;
  words[PEAK] = layout.FIRST;
  words[END] = end;
  words[layout.MAGIC] = magic;
}
