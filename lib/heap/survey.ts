/** A heap as its live map and block headers tell it: what holds whatever state the allocator is in, and while others write. */
import { FIRST } from '../allocator/layout.js';
import { HeapFileError } from './errors.js';
import { isLive, walker } from './live.js';
import type { Region } from './region.js';
import { wordsOf } from './repair.js';
import type { Roots } from './roots.js';

/** Bytes and counts. */
export interface HeapStats {
  /** What the heap may grow to. */
  readonly limit: number;
  /** What it has of that now. */
  readonly length: number;
  /** Where its last block ends. */
  readonly top: number;
  readonly usedBlocks: number;
  /** Headers included. */
  readonly usedBytes: number;
  /** Stretches between used blocks. */
  readonly gaps: number;
  readonly gapBytes: number;
  readonly largestGap: number;
  /** 0: what is free below the top is in one piece; towards 1: scattered. */
  readonly fragmentation: number;
  readonly roots: number;
}

/** Bytes of a live block, header included. */
export const sizeOf = (words: Int32Array, ptr: number): number => (words[ptr / 4 - 1]! >>> 3) * 8;

/** Calls `used` for each live block, by address; ends where a header can't be, and returns that block, or 0. */
export function eachBlock(region: Region, used: (ptr: number, size: number) => void): number {
  const words = wordsOf(region);
  const next = walker(region.live, words.length / 2);
  let end = 8 * FIRST;
  for (let unit = next(); unit !== 0; unit = next()) {
    const size = sizeOf(words, 8 * unit);
    if (8 * unit < end || size < 16 || 8 * unit + size > 4 * words.length) return 8 * unit;
    used(8 * unit, size);
    end = 8 * unit + size;
  }
  return 0;
}

export function survey(region: Region, roots: Roots): HeapStats {
  const sum = { usedBlocks: 0, usedBytes: 0, gaps: 0, gapBytes: 0, largestGap: 0 };
  let end = 8 * FIRST;
  const broken = eachBlock(region, (ptr, size) => {
    const gap = ptr - end;
    if (gap > 0) sum.gaps++;
    sum.gapBytes += gap;
    sum.largestGap = Math.max(sum.largestGap, gap);
    sum.usedBlocks++;
    sum.usedBytes += size;
    end = ptr + size;
  });
  if (broken !== 0) throw lostHeader(broken);
  return {
    limit: region.limit,
    length: region.length,
    top: end,
    ...sum,
    fragmentation: sum.gapBytes === 0 ? 0 : 1 - sum.largestGap / sum.gapBytes,
    roots: roots.list().length,
  };
}

export const lostHeader = (ptr: number): HeapFileError =>
  corrupt(ptr, 'the block in use there has lost its header');

const corrupt = (ptr: number, what: string): HeapFileError =>
  new HeapFileError('ERR_MEMPROBE_HEAP_CORRUPT', `at 0x${ptr.toString(16)}: ${what}`);

/** The map and the allocator's blocks agree, every root leads to a block. */
export function checkMap(region: Region, used: Iterable<number>, roots: Roots): void {
  const next = walker(region.live, region.length / 8);
  for (const ptr of used) {
    const unit = next();
    if (8 * unit !== ptr)
      throw corrupt(
        Math.min(ptr, unit === 0 ? ptr : 8 * unit),
        'the live map and the blocks contradict each other',
      );
  }
  const more = next();
  if (more !== 0) throw corrupt(8 * more, 'the live map has a block that is none');
  const broken = roots.brokenAt();
  if (broken !== 0) throw corrupt(broken, 'the list of roots leads to what is no block');
  for (const { name, ptr } of roots.list())
    if (!isLive(region.live, ptr))
      throw corrupt(
        ptr,
        `the root '${name}' names what is no block (any more); roots.delete('${name}') mends that`,
      );
}
