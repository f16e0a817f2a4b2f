/**
 * A heap's bytes, the same in a file and in memory:
 *
 *   0         HEADER (a page)      arenaAt                       arenaAt + length    arenaAt + limit
 *   | header  | live map | (hole)  | arena: state, blocks …      | (grows)           |
 *
 * The arena is what lib/allocator works on; pointers are byte offsets in it, so that the heap works at any address. The live
 * map has a bit for each 8 bytes of the arena: set where a block in use begins. It is what a crash leaves behind that counts:
 * from it and the lengths in the blocks' headers everything else is made again (repair.ts).
 *
 * The header is read as 32-bit words. FIXED words never change and have a checksum; the others change in single stores.
 */
import { getpagesize } from '../libc/page.js';
import { badHeap } from './errors.js';

export const MAGIC = 'mprbheap';
export const VERSION = 1;
const ORDER = 0x01020304;
const PAGES = 4096;

/** Words. */
const W = { order: 2, version: 3, header: 4, page: 5, alignment: 6, limit: 7, arena: 8, base: 9, name: 11 };
const NAME_WORDS = 16;
const CHECKSUM = W.name + NAME_WORDS;
export const NAME_BYTES = 4 * NAME_WORDS - 1;
/** What never changes. */
export const FIXED_BYTES = 4 * (CHECKSUM + 1);
/** Bytes that a limit may be. */
export const MOST = 16 * 2 ** 30;

/** 1 while a writer has it, and after its crash. 0: closed well. */
export const DIRTY = 32;
/** Bytes of the arena that the file has, in PAGES. */
export const LENGTH = 33;
/** Process id of the last writer. */
export const WRITER = 34;
/** Unit of the first root's node, or 0. */
export const ROOTS = 35;
/** A realloc that moves: the unit of the old block, which is the true one as long as this isn't 0 … */
export const MOVE_FROM = 36;
/** … and of the new one. */
export const MOVE_TO = 37;
/** Unit of a root's node on its way into the list or out of it: a block only if it is there. */
export const PENDING = 38;
/** Checksum of what `sealed` says, when it was closed. */
export const SEAL = 39;
/** 1: blocks have guards behind them (mmcheck). */
export const GUARDED = 40;
/** 16 keys of 64 bits. */
const KEYS = 42;
export const KEY_COUNT = 16;
const WORDS = 128;
export const HEADER_BYTES = 4 * WORDS;

/** What never changes. Bytes. */
export interface Facts {
  readonly version: number;
  readonly headerSize: number;
  readonly pageSize: number;
  readonly alignment: 8 | 16;
  readonly limit: number;
  readonly arenaAt: number;
  /** Where it was mapped first; 0n: in memory alone. */
  readonly base: bigint;
  readonly name: string;
}

/** FNV-1a over words: finds flipped bits, not attackers. */
export function checksum(words: Int32Array, from: number, to: number, start = 0x811c9dc5): number {
  let sum = start;
  for (let i = from; i < to; i++) sum = Math.imul(sum ^ words[i]!, 0x01000193) ^ (sum >>> 15);
  return sum | 0;
}

const up = (bytes: number, unit: number): number => Math.ceil(bytes / unit) * unit;

/** A new heap's facts. */
export function plan(limit: number, name: string, base: bigint): Facts {
  const pageSize = getpagesize();
  const headerSize = up(PAGES, pageSize);
  const whole = up(limit, pageSize);
  const arenaAt = headerSize + up(whole / 64, pageSize);
  return { version: VERSION, headerSize, pageSize, alignment: 8, limit: whole, arenaAt, base, name };
}

/** The header's first bytes; the other words of a new heap are 0, but DIRTY. */
export function encode(facts: Facts): Uint8Array {
  const words = new Int32Array(WORDS);
  const bytes = Buffer.from(words.buffer);
  bytes.write(MAGIC, 'latin1');
  bytes.write(facts.name, 4 * W.name, NAME_BYTES, 'utf8');
  words[W.order] = ORDER;
  words[W.version] = facts.version;
  words[W.header] = facts.headerSize;
  words[W.page] = facts.pageSize;
  words[W.alignment] = facts.alignment;
  words[W.limit] = facts.limit / PAGES;
  words[W.arena] = facts.arenaAt / PAGES;
  new DataView(words.buffer).setBigUint64(4 * W.base, facts.base, true);
  words[CHECKSUM] = checksum(words, 0, CHECKSUM);
  words[DIRTY] = 1;
  return bytes;
}

/** Reads and checks the fixed words. `path` is for the error's sake. */
export function decode(bytes: Uint8Array, path: string): Facts {
  const head = Buffer.from(bytes);
  if (head.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw badHeap(
      path,
      "is no heap of memprobe (if it was one, 'memprobe heap --salvage' may find its blocks)",
    );
  if (head.length < HEADER_BYTES)
    throw badHeap(path, `is truncated: its header has ${head.length} bytes of ${HEADER_BYTES}`);
  const words = new Int32Array(head.buffer.slice(head.byteOffset, head.byteOffset + HEADER_BYTES));
  if (words[W.order] !== ORDER) throw badHeap(path, 'was made on a machine of another byte order');
  if (words[W.version] !== VERSION)
    throw badHeap(path, `has version ${words[W.version]}, and this memprobe knows ${VERSION}`);
  if (!isWhole(words))
    throw badHeap(path, "has a damaged header ('memprobe heap --salvage' does without it)");
  const facts = read(words);
  const { headerSize, pageSize } = plan(facts.limit, '', 0n);
  if (facts.pageSize !== pageSize)
    throw badHeap(path, `has pages of ${facts.pageSize} bytes, and this machine ${pageSize}`);
  if (facts.headerSize !== headerSize) throw badHeap(path, `has a header of ${facts.headerSize} bytes`);
  return facts;
}

/** The fixed words are what they were. */
export const isWhole = (words: Int32Array): boolean => words[CHECKSUM] === checksum(words, 0, CHECKSUM);

/** What the fixed words say, right or wrong. */
export function read(words: Int32Array): Facts {
  const head = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
  const name = head.toString('utf8', 4 * W.name, 4 * (W.name + NAME_WORDS));
  return {
    version: words[W.version]!,
    headerSize: words[W.header]!,
    pageSize: words[W.page]!,
    alignment: words[W.alignment] === 16 ? 16 : 8,
    limit: words[W.limit]! * PAGES,
    arenaAt: words[W.arena]! * PAGES,
    base: head.readBigUInt64LE(4 * W.base),
    name: name.slice(0, name.indexOf('\0')),
  };
}

/** What mmalloc_setkey keeps: an address in the heap as the negative of its distance from the arena's start, or what else was given. */
export const keysOf = (header: Int32Array): BigInt64Array =>
  new BigInt64Array(header.buffer, header.byteOffset + 4 * KEYS, KEY_COUNT);

export const lengthOf = (header: Int32Array): number => header[LENGTH]! * PAGES;
export const setLength = (header: Int32Array, bytes: number): void => {
  header[LENGTH] = bytes / PAGES;
};

/** Checksum of what only the writer changes: the header's words and the allocator's state, `words` of it. */
export function seal(header: Int32Array, arena: Int32Array, words: number): number {
  return checksum(arena, 0, words, checksum(header, LENGTH, SEAL) ^ checksum(header, SEAL + 1, WORDS));
}
