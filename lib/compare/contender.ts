/** An allocator that a workload is replayed on, in a process of its own (child.ts). */
import { mincore } from '../libc/mincore.js';
import { getpagesize } from '../libc/page.js';
import { native } from '../native.js';

export interface Faults {
  readonly minor: number;
  readonly major: number;
}

/** What walks have come to so far. */
export interface Reach {
  /** Bytes from the heap's start to the highest end of a block, with those that lay outside the heap meanwhile. */
  readonly peak: number;
  /** Allocations that got nothing. */
  readonly failed: number;
  /** Page faults of the thread that replays: without the disk, and with it. */
  readonly faults: Faults;
  /** Bytes of the heap that were in memory, at each sample. */
  readonly resident: ArrayLike<number>;
}

/** A block on the heap: where it begins, from the heap's start, and the bytes that may be used. */
export type Placed = readonly [offset: number, size: number];

export type Ops = Int32Array<ArrayBuffer>;

export interface Contender {
  /** Replays part of the stream once, writes to every block as its owner would, and takes so many samples. */
  walk(ops: Ops, samples: number): Reach;
  /** How full of blocks each part of the heap is, from 0 to 1. */
  cells(cellBytes: number): ArrayLike<number>;
  /** Replays the whole stream so many times, as fast as it goes. */
  run(ops: Ops, rounds: number): void;
}

/** A byte is written to each page of a block. */
export const PAGE = 4096;

/** The walk of those that replay in JavaScript: `step` replays, `resident` is asked at each sample. */
export class Walker {
  readonly resident: number[] = [];
  faults: Faults = { minor: 0, major: 0 };

  walk(ops: Ops, samples: number, step: (ops: Ops) => void, resident: () => number): void {
    for (let i = 1, done = 0; i <= samples; i++) {
      const end = 2 * Math.floor((ops.length / 2) * (i / samples));
      const part = ops.subarray(done, end);
      const { minor, major } = native.libc.replay_faults();
      step(part);
      const after = native.libc.replay_faults();
      this.faults = {
        minor: this.faults.minor + after.minor - minor,
        major: this.faults.major + after.major - major,
      };
      this.resident.push(resident());
      done = end;
    }
  }
}

/** Numbers of a stream after which V8 has compiled what there is to compile, and walks at most. */
const REHEARSED = 400_000;
const REHEARSALS = 100;

/** Walks until V8 has compiled it all: its page faults would be taken for the heap's. */
export function rehearse(contender: Contender, ops: Ops): void {
  const some = ops.subarray(0, REHEARSED);
  for (let i = 0, done = 0; i < REHEARSALS && done < REHEARSED; i++, done += some.length) {
    contender.walk(some, 1);
  }
}

/** `cells` for those that replay in JavaScript. */
export function cellsOf(blocks: Iterable<Placed>, cellBytes: number): number[] {
  const cells: number[] = [];
  for (const [offset, size] of blocks) {
    for (let at = offset, end = offset + size; at < end;) {
      const cell = Math.floor(at / cellBytes);
      const next = Math.min(end, (cell + 1) * cellBytes);
      while (cells.length <= cell) cells.push(0);
      cells[cell]! += (next - at) / cellBytes;
      at = next;
    }
  }
  return cells;
}

/** Bytes in memory of those from `start` to `end`. */
export function residentBytes(start: bigint, end: bigint): number {
  const page = getpagesize();
  const from = start - (start % BigInt(page));
  if (end <= from) return 0;
  return page * mincore(from, Number(end - from)).reduce((sum, byte) => sum + (byte & 1), 0);
}
