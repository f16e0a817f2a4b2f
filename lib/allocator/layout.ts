/**
 * What lies where in the buffer. Everything is counted in units of 8 bytes from the buffer's start and read through one
 * Int32Array of words, so a unit's number fits in 31 bits up to 16 GiB, and unit u is words 2u and 2u + 1.
 *
 *   byte 0                                FIRST             top                       end
 *   | state | bin map | bins | lists … |  | block | block … | never used, or given back |
 *
 * A block has one word in front of its payload: 4 bytes of overhead, as in dlmalloc without its second word. b is the
 * unit where the payload begins, n the block's length in units, header included:
 *
 *   word  2b-1            2b           2b+1                       2(b+n)-2    2(b+n)-1
 *         | n << 3 | flags | payload, 8n - 4 bytes …                         | next block's header
 *   FREE  | n << 3 | 1     | next in bin | previous in bin | … |   n          | … AFTER_FREE set
 *   CACHED| n << 3 | 4     | next in list | …                                 | as if it were in use
 *
 * The last word of a free block repeats its length, so that the block behind finds its start (Knuth's boundary tags).
 */

/** The block is free and coalesced: it is in a bin, and neither neighbour is FREE. */
export const FREE = 1;
/** The block in front is FREE, and the word before this header holds its length. */
export const AFTER_FREE = 2;
/** The block is free but not coalesced: it waits in the list of its size for the next malloc. */
export const CACHED = 4;
export const FLAGS = 7;

/** Words of state. */
export const MAGIC = 0;
/** 8 or 16. */
export const ALIGNMENT = 1;
/** The unit where the payload of the next new block will begin: its header's word is the last of the unit before. */
export const TOP = 2;
/** Units that the heap may use of the buffer. */
export const END = 3;
/** The highest TOP so far. */
export const PEAK = 4;
/** Blocks between FIRST and TOP, of all kinds. Only splitting and merging change it, so it costs the fast paths nothing. */
export const BLOCKS = 5;
/** The list where consolidation goes on. */
export const CURSOR = 6;
/** Unit up to which the top rises without any of the cache being coalesced first, if PEAK isn't lower. */
export const LEVEL = 7;
/** Units of the block that was last cut off a larger one. */
export const CUT = 8;
/** One bit for each word of the bin map that isn't 0. */
export const BIN_SUMMARY = 9;
export const BIN_MAP = 10;

/** 31 bins of one size each, then 16 a doubling up to 2^29 units. */
export const BIN_COUNT = 416;
export const BINS = BIN_MAP + BIN_COUNT / 32;

/** Blocks below this many units are cached, in a list for each size: a page still fits. */
export const LIST_COUNT = 544;
/** A set bit says that a list may have blocks; it is cleared when somebody looks and finds none. */
export const LIST_MAP = BINS + BIN_COUNT;
export const LISTS = LIST_MAP + LIST_COUNT / 32;

/** Payload unit of the first block: even, so that it suits both alignments. */
export const FIRST = ((LISTS + LIST_COUNT + 3) >> 2) * 2 + 2;

/** "mpa" and the layout's version. */
export const MAGIC_VALUE = 0x6d706101;
/** Smallest block: header, two links, length. */
export const MIN_UNITS = 2;
/** A length with its flags fits in 32 bits. */
export const MAX_UNITS = 2 ** 29 - 1;
export const MAX_REQUEST = (MAX_UNITS - 4) * 8;

/** The buffer in words. */
export type Words = Int32Array;

/** Number of the lowest set bit; x must not be 0. */
export const lowestBit = (x: number): number => 31 - Math.clz32(x & -x);
