/** How labs put figures, and the few things that several of them need. */
import { type Address, NULL } from '../address.js';
import { count } from '../format.js';
import { MADV_NOHUGEPAGE, madvise } from '../libc/madvise.js';
import { free, malloc } from '../libc/malloc.js';
import { view } from '../libc/memory.js';
import { MAP_ANONYMOUS, MAP_PRIVATE, mmap, munmap, PROT_NONE, PROT_READ, PROT_WRITE } from '../libc/mmap.js';
import { getpagesize } from '../libc/page.js';
import { codeOf } from '../procfs/errors.js';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const READ_WRITE = PROT_READ | PROT_WRITE;
export const PRIVATE_ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS;

export function hex(address: Address): string {
  return `0x${address.toString(16)}`;
}

/** `1 page`, `1,024 pages`. */
export function pages(number: number): string {
  return count(number, 'page');
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

export function roundAddressUp(address: Address, unit: number): Address {
  const size = BigInt(unit);
  return ((address + size - 1n) / size) * size;
}

/** The memory itself, for real loads and stores. */
export function bytesAt(address: Address, length: number): Uint8Array {
  return new Uint8Array(view(address, length));
}

/**
 * Zeroed private memory at a place of its own. The kernel merges neighbours of the same kind into one mapping; far from
 * everything else, what a lab maps stays visible as a line of its own.
 */
export function mapAlone(length: number): Address {
  corner += 1n << 32n;
  return mmap(corner, length, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
}

let corner = 0x2000_0000_0000n;

/**
 * Has the next block of this size, if malloc maps it, stand alone: malloc gives the kernel no hint, and it goes to the
 * highest gap. Gaps are filled until one holds two of this length; the block comes below the first, which no one may
 * access, so that they do not merge.
 */
export function makeRoom(size: number): void {
  const length = roundUp(size + 1, getpagesize());
  const probe = () => mmap(NULL, length, PROT_NONE, PRIVATE_ANONYMOUS, -1, 0);
  let [last, next] = [probe(), probe()];
  for (let i = 0; i < GAPS && next + BigInt(length) !== last; i++) [last, next] = [next, probe()];
  munmap(next, length);
  free(malloc(size)); // memprobe's own book of blocks has a part for each neighbourhood: not to come in the next step
}

/** More than any address space has that are large enough. */
const GAPS = 100;

/** Where huge pages are "always" on, one touch may bring 512 pages: not in memory whose pages a lab counts. */
export function keepPagesSmall(address: Address, length: number): void {
  try {
    madvise(address, length, MADV_NOHUGEPAGE);
  } catch (error) {
    if (codeOf(error) !== 'EINVAL') throw error; // a kernel without huge pages
  }
}

/** Stores a byte into each page, which makes the page resident. */
export function touch(bytes: Uint8Array, page: number, value = 1): void {
  for (let i = 0; i < bytes.length; i += page) bytes[i] = value;
}

/** Loads a byte of each page, and returns their sum. */
export function readEach(bytes: Uint8Array, page: number): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += page) sum += bytes[i] ?? 0;
  return sum;
}
