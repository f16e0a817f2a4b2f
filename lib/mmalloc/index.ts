/// <reference types="node" preserve="true" />
/**
 * `memprobe/mmalloc`: GNU mmalloc's interface of 1992, by its own names, over heaps that survive (memprobe/heap). Pointers are
 * addresses, NULL is 0n; `view` and `poke` of memprobe/libc, or the descriptor's `heap`, reach what they point to. `md` null is the
 * default heap, at the process's break. Failures throw, as everywhere in memprobe, and leave their errno for mmalloc_errno.
 */
import { type Address, NULL } from '../address.js';
import { integer, wrongType } from '../arguments.js';
import { KEY_COUNT, keysOf, plan } from '../heap/header.js';
import { likelyFree } from '../heap/open.js';
import { getpagesize } from '../libc/page.js';
import { native } from '../native.js';
import * as descriptor from './descriptor.js';
import { type AttachOptions, descriptorOf, type Md, MmallocDescriptor, on } from './descriptor.js';
import { type Mstats, orNoMemory } from './ground.js';
import { guard, GUARD_BYTES, verify } from './guards.js';
import * as trace from './trace.js';

export { HeapError, HeapSystemError } from '../allocator/errors.js';
export { HeapBusyError, HeapFileError } from '../heap/errors.js';
export { type AttachOptions, type Md, MmallocDescriptor } from './descriptor.js';
export type { Mstats } from './ground.js';

/**
 * The heap in the file `fd`, at its recorded base; in an empty file a new one, at `baseaddr` (0n: a place that is likely to be free in
 * other processes too); with an `fd` that is not open a new one in memory. The descriptor stays the caller's, who may close it.
 * Throws ERR_MEMPROBE_ADDRESS_TAKEN with what is there, unless `relocate`, and what Heap.attach throws.
 */
export function mmalloc_attach(
  fd: number,
  baseaddr: Address,
  options: AttachOptions = {},
): MmallocDescriptor {
  integer('fd', fd, -(2 ** 31), 2 ** 31 - 1);
  if (typeof baseaddr !== 'bigint') throw wrongType('baseaddr', 'an address, of type bigint', baseaddr);
  return on(null, () => new MmallocDescriptor(descriptor.attach(fd, baseaddr, options)));
}

/** Null: it was closed well, its memory is unmapped, and its views are detached. The default heap can't be. */
export function mmalloc_detach(md: Md): Md {
  return on(md, ({ heap }) => {
    heap?.close();
    return null;
  });
}

/** NULL for size 0. Throws ENOMEM at the limit, ENOSPC where the disk is full. */
export function mmalloc(md: Md, size: number): Address {
  return on(md, (of) => {
    if (integer('size', size, 0) === 0) return NULL;
    const ptr = withGuard(of, size, (bytes) => orNoMemory('mmalloc', size, of.ground.malloc(bytes)));
    trace.allocated(ptr, size);
    return ptr;
  });
}

/** Zeroed. */
export function mcalloc(md: Md, number: number, size: number): Address {
  const bytes = integer('number', number, 0) * integer('size', size, 0);
  const ptr = mmalloc(md, Number.isSafeInteger(bytes) ? bytes : 2 ** 50);
  if (ptr !== NULL) descriptorOf(md).ground.bytes(ptr).fill(0, 0, bytes);
  return ptr;
}

/** NULL is mmalloc; size 0 is mfree. Throws and leaves the block as it is where there is no room. */
export function mrealloc(md: Md, ptr: Address, size: number): Address {
  if (ptr === NULL) return mmalloc(md, size);
  if (size === 0) return (mfree(md, ptr), NULL);
  return on(md, (of) => {
    integer('size', size, 1);
    checkGuard(of, ptr);
    const moved = withGuard(of, size, (bytes) => orNoMemory('mrealloc', size, of.ground.realloc(ptr, bytes)));
    trace.moved(ptr, moved, size);
    return moved;
  });
}

/** Does nothing for NULL. */
export function mfree(md: Md, ptr: Address): void {
  on(md, (of) => {
    if (ptr === NULL) return;
    checkGuard(of, ptr);
    of.ground.free(ptr);
    trace.freed(ptr);
  });
}

/** At a multiple of `alignment`, a power of two that the heap's own place is a multiple of (a page always is). */
export function mmemalign(md: Md, alignment: number, size: number): Address {
  return on(md, (of) => {
    integer('alignment', alignment, 1, 2 ** 31);
    if (integer('size', size, 0) === 0) return NULL;
    const rounded = 2 ** Math.ceil(Math.log2(alignment));
    const ptr = withGuard(of, size, (bytes) =>
      orNoMemory('mmemalign', size, of.ground.memalign(rounded, bytes)),
    );
    trace.allocated(ptr, size);
    return ptr;
  });
}

/** At the start of a page. */
export function mvalloc(md: Md, size: number): Address {
  return mmemalign(md, getpagesize(), size);
}

/** errno of the last failure with this heap, and of mmalloc_attach with null; 0 where there was none. */
export function mmalloc_errno(md: Md): number {
  return descriptorOf(md).errno;
}

/** Keeps an address under one of 16 numbers: how the next process finds what is in the heap. Addresses in it move with it. False: no such key. */
export function mmalloc_setkey(md: Md, keynum: number, key: Address): boolean {
  return on(md, ({ heap }) => {
    if (heap === undefined || !isKey(keynum)) return false;
    if (typeof key !== 'bigint') throw wrongType('key', 'an address, of type bigint', key);
    const inside = key - heap.address();
    // From the arena's start, and negative, if it is an address in the heap.
    keysOf(heap.region.header)[keynum] = inside > 0n && inside < BigInt(heap.region.limit) ? -inside : key;
    return true;
  });
}

/** What was kept there; NULL where nothing was. */
export function mmalloc_getkey(md: Md, keynum: number): Address {
  return on(md, ({ heap }) => {
    if (heap === undefined || !isKey(keynum)) return NULL;
    const key = keysOf(heap.region.header)[keynum] ?? 0n;
    return key < 0n ? heap.address() - key : key;
  });
}

/**
 * From now on blocks have guards behind them, which mfree and mrealloc look at: `func` is called where one is overwritten, and without it
 * ERR_MEMPROBE_HEAP_CORRUPT is thrown. 0 where there are blocks already, 1 otherwise. The heap stays so, also in the next process.
 */
export function mmcheck(md: Md, func?: () => void): 0 | 1 {
  return on(md, (of) => {
    if (!of.ground.guarded && of.ground.stats().chunks_used > 0) return 0;
    of.ground.guarded = true;
    of.abort = func;
    return 1;
  });
}

export function mmstats(md: Md): Mstats {
  return on(md, ({ ground }) => ground.stats());
}

/** An address where a heap of that limit has room now, for mmalloc_attach. Throws ENOMEM. */
export function mmalloc_findbase(size: number): Address {
  const { arenaAt, limit } = plan(integer('size', size, 1, 2 ** 46), '', 0n);
  const { libc, constants: c } = native;
  const flags = c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_NORESERVE;
  const base = libc.mmap(likelyFree(arenaAt), arenaAt + limit, c.PROT_NONE, flags, -1, 0);
  libc.munmap(base, arenaAt + limit);
  return base;
}

/**
 * From now on what these calls do is written to the file that MALLOC_TRACE names, as mtrace(3) does it: parseMtrace and `memprobe leaks` read it.
 * 0 where it names none, 1 otherwise.
 */
export function mmtrace(): 0 | 1 {
  return trace.start() ? 1 : 0;
}

/** The special case: the default heap. */
export const malloc = (size: number): Address => mmalloc(null, size);
export const calloc = (number: number, size: number): Address => mcalloc(null, number, size);
export const realloc = (ptr: Address, size: number): Address => mrealloc(null, ptr, size);
export const free = (ptr: Address): void => mfree(null, ptr);
export const memalign = (alignment: number, size: number): Address => mmemalign(null, alignment, size);
export const valloc = (size: number): Address => mvalloc(null, size);

const isKey = (keynum: number): boolean => Number.isInteger(keynum) && keynum >= 0 && keynum < KEY_COUNT;

function withGuard(
  { ground }: MmallocDescriptor,
  size: number,
  allocate: (bytes: number) => Address,
): Address {
  if (!ground.guarded) return allocate(size);
  const ptr = allocate(size + GUARD_BYTES);
  guard(ground.bytes(ptr), size);
  return ptr;
}

function checkGuard({ ground, abort }: MmallocDescriptor, ptr: Address): void {
  if (typeof ptr !== 'bigint') throw wrongType('ptr', 'an address, of type bigint', ptr);
  if (!ground.guarded) return;
  try {
    verify(ground.bytes(ptr), Number(ptr));
  } catch (error) {
    if (abort === undefined) throw error;
    abort();
  }
}
