/**
 * Where the memory of glibc's malloc is, read from outside of the allocator: how much of what is resident is in use,
 * free but kept, or overhead. No lock is taken and no thread is stopped.
 */
import { native } from '../native.js';
import { explainFailure } from './errors.js';
import { type ProcessOptions, processFile } from './read.js';

/** `bytes` of address space, of which `resident` are in memory. */
export interface HeapPart {
  bytes: number;
  resident: number;
}

/** `chunks` blocks of memory. */
export interface HeapBlocks extends HeapPart {
  chunks: number;
}

/** Of `resident`, malloc_trim(0) gives back `trimmable` bytes: the whole pages, as malloc counts them. */
export interface HeapTrimmable {
  trimmable: number;
}

/**
 * One arena. Every byte of its heaps is in exactly one of the parts, and so is every resident byte: the seven
 * `resident` add up to the heaps' own, the seven `bytes` to the heaps' length.
 */
export interface HeapArena {
  /** Of glibc's malloc_state. */
  address: bigint;
  /** The arena of [heap]; the others are those of threads. */
  main: boolean;
  /** What malloc_info calls "system": the arena's own count of the bytes that it has from the kernel. */
  systemBytes: number;
  /** The pieces of memory that the arena consists of: [heap], or one heap of up to 64 MiB after the other. */
  heaps: HeapRegion[];
  /** Blocks in use, by the bytes that the program may use (malloc_usable_size), so without their headers. */
  live: HeapBlocks;
  /** Free blocks in the arena's bins. */
  free: HeapBlocks & HeapTrimmable;
  /** The unused end, from which malloc cuts new blocks. In a thread's arena malloc_trim does not touch it. */
  top: HeapPart & HeapTrimmable;
  /** Freed blocks that threads keep for themselves (tcache). */
  cached: HeapBlocks;
  /** Freed blocks in the arena's fastbins; malloc_trim first merges these with their neighbours. */
  fast: HeapBlocks;
  /** 8 bytes for each block in use, the structures of arenas, heaps and tcaches, and what malloc keeps mapped behind a heap. */
  overhead: HeapPart;
  /**
   * What could not be told: memory that something else has from sbrk(2), swapped pages and what only they lead to,
   * and blocks that changed while they were looked at.
   */
  unwalked: HeapPart;
}

/** Blocks that malloc mapped one by one (large ones): one element for each, in ascending order of address. */
export interface MmappedBlocks {
  /** The first byte of the mapping; the program's block begins 16 bytes further, or later if it is aligned. */
  start: BigUint64Array;
  end: BigUint64Array;
  /** Bytes in memory. */
  resident: Float64Array;
  /** All of them together. */
  total: HeapBlocks;
  /** malloc's own count of these bytes, where it was found: not the same as `total.bytes`, something is amiss. */
  counted?: number;
}

/** Memory of one piece: where it is, and how many bytes of it are in memory. */
export interface HeapRegion {
  start: bigint;
  end: bigint;
  resident: number;
}

/** `chunks` blocks in use of which the program may use `from` to `to` bytes each, `bytes` together. */
export interface HeapSize {
  from: number;
  to: number;
  chunks: number;
  bytes: number;
}

export interface HeapReport {
  /** The main arena first. None: the process does not use glibc's malloc, or has not called it yet. */
  arenas: HeapArena[];
  mmapped: MmappedBlocks;
  /** Regions of Abseil's LowLevelAlloc, from which the locks of V8 take memory past malloc (Node 24 and later). */
  abseil: HeapRegion[];
  /** Blocks in use in all arenas: a row for each size up to 4 KiB, then one for each power of two. */
  sizes: HeapSize[];
}

type Table = Awaited<ReturnType<typeof native.promises.walk_heap>>;

/** Of one arena in `Table.totals`: main and systemBytes, then four numbers of each part in this order. */
const PARTS = ['live', 'free', 'top', 'cached', 'fast', 'overhead', 'unwalked'] as const;
const FIELDS = 4;
const STRIDE = 2 + PARTS.length * FIELDS;

/**
 * Walks all blocks of malloc in a process: `pid`, default this one. Takes about 0.3 to 1 s for a GiB of resident heap,
 * on the thread pool. All sizes are in bytes.
 *
 * It reads resident pages only, through process_vm_readv(2) and /proc/PID/pagemap, and works on 64-bit processes with
 * glibc 2.26 to 2.42; not with another malloc (`arenas` is empty), nor on heaps of explicit huge pages
 * (glibc.malloc.hugetlb=2). The process runs on meanwhile: the figures of one that allocates are of slightly different
 * moments, though each byte is still counted once. Before Linux 6.7, pages that were only ever read count as resident.
 *
 * Rejects with ESRCH where there is no such process, EACCES or EPERM where it may not be read (that takes the rights
 * of ptrace(2)), ERR_INVALID_ARG_TYPE or ERR_OUT_OF_RANGE for a wrong `pid`.
 * @see malloc_info(3), malloc_trim(3), process_vm_readv(2), proc_pid_pagemap(5)
 */
export async function readHeap(options: Pick<ProcessOptions, 'pid'> = {}): Promise<HeapReport> {
  const file = processFile('pagemap', options);
  const { pid = 'self' } = options;
  try {
    const table = await native.promises.walk_heap(pid === 'self' ? process.pid : pid);
    const [mmapped, abseil] = [mmappedOf(table), abseilOf(table)];
    return { arenas: arenasOf(table), mmapped, abseil, sizes: sizesOf(table) };
  } catch (error) {
    throw await explainFailure(error, file);
  }
}

function arenasOf(table: Table): HeapArena[] {
  const arenas = Array.from(table.arenas, (address, index) =>
    arenaOf(address, rowOf(table.totals, index, STRIDE)),
  );
  for (let i = 0; i * 2 < table.pieces.length; i++) {
    const [arena = 0, resident = 0] = rowOf(table.pieceInfo, i, 2);
    const [start = 0n, end = 0n] = table.pieces.subarray(i * 2, i * 2 + 2);
    arenas[arena]?.heaps.push({ start, end, resident });
  }
  return arenas;
}

function arenaOf(address: bigint, row: Float64Array): HeapArena {
  const [main, systemBytes = 0] = row;
  const blocks = (part: (typeof PARTS)[number]) => {
    const at = 2 + PARTS.indexOf(part) * FIELDS;
    const [chunks = 0, bytes = 0, resident = 0, trimmable = 0] = row.subarray(at, at + FIELDS);
    return { chunks, bytes, resident, trimmable };
  };
  const top = blocks('top');
  return {
    address,
    main: main === 1,
    systemBytes,
    heaps: [],
    live: withChunks(blocks('live')),
    free: blocks('free'),
    top: { ...sized(top), trimmable: top.trimmable },
    cached: withChunks(blocks('cached')),
    fast: withChunks(blocks('fast')),
    overhead: sized(blocks('overhead')),
    unwalked: sized(blocks('unwalked')),
  };
}

function withChunks({ chunks, bytes, resident }: HeapBlocks): HeapBlocks {
  return { chunks, bytes, resident };
}

function sized({ bytes, resident }: HeapPart): HeapPart {
  return { bytes, resident };
}

function mmappedOf({ mmapped, mmappedResident: resident, mmappedBytes }: Table): MmappedBlocks {
  const start = mmapped.filter((_, i) => i % 2 === 0);
  const end = mmapped.filter((_, i) => i % 2 === 1);
  const total = { chunks: start.length, bytes: 0, resident: 0 };
  for (let i = 0; i < start.length; i++) {
    total.bytes += Number((end[i] ?? 0n) - (start[i] ?? 0n));
    total.resident += resident[i] ?? 0;
  }
  return { start, end, resident, total, ...(mmappedBytes >= 0 && { counted: mmappedBytes }) };
}

function abseilOf({ abseil, abseilResident }: Table): HeapRegion[] {
  return Array.from(abseilResident, (resident, i) => {
    const [start = 0n, end = 0n] = abseil.subarray(i * 2, i * 2 + 2);
    return { start, end, resident };
  });
}

function sizesOf({ sizes }: Table): HeapSize[] {
  return Array.from({ length: sizes.length / 4 }, (_, i) => {
    const [from = 0, to = 0, chunks = 0, bytes = 0] = rowOf(sizes, i, 4);
    return { from, to, chunks, bytes };
  });
}

function rowOf(column: Float64Array, index: number, stride: number): Float64Array {
  return column.subarray(index * stride, (index + 1) * stride);
}
