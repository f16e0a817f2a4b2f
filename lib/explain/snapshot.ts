/** The raw facts that an explanation is made from. Everything after the collection is a pure function of these. */
import type { HeapReport } from '../procfs/heap.js';
import type { Smaps } from '../procfs/smaps.js';
import type { Trim, Way } from './schema.js';

/** One space of a V8 heap, in bytes; names are V8's. */
export interface HeapSpace {
  name: string;
  used: number;
  physical: number;
}

/** What one isolate (the main thread or a worker) says about itself. Sizes in bytes. */
export interface Isolate {
  threadId: number;
  name: string;
  spaces: HeapSpace[];
  used: number;
  limit: number;
  /** Backing stores of ArrayBuffers and Buffers, whether touched or not. */
  arrayBuffers: number;
  /** All memory that V8 was told of outside of its heap, backing stores included. */
  external: number;
}

/** A range of addresses, end exclusive. */
export interface Range {
  start: bigint;
  end: bigint;
}

/** The stack of one thread: the mapping that its stack pointer points into. */
export interface ThreadStack extends Range {
  tid: number;
  name: string;
}

/** Huge-page memory of one mapping that was never written: 4 KiB pieces that hold only zeros. */
export interface Zeros extends Range {
  bytes: number;
}

export interface Snapshot {
  pid: number;
  name: string;
  time: string;
  way: Way;
  /** Whether V8 runs in this process. */
  v8: boolean;
  smaps: Smaps;
  stacks: ThreadStack[];
  /** Absent where the heap could not be walked; `notes` says why. */
  heap?: HeapReport;
  /** Empty where nobody could be asked. */
  isolates: Isolate[];
  /** Ranges that memprobe itself mapped in that process. */
  owned: Range[];
  zeros: Zeros[];
  trim?: Trim;
  notes: string[];
}
