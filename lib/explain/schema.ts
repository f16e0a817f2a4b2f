/**
 * The documented answer of `explain()` and of `memprobe explain --json`.
 *
 * All sizes are bytes. `categories` holds every id of `CATEGORIES` exactly once, in that order; their `bytes` are
 * never negative and add up to `rss` exactly. What could not be told is the category `unexplained`.
 */

/** The layout described here. It grows only when a field changes its meaning or goes away; new fields do not count. */
export const SCHEMA_VERSION = 1;

/** Every category with the words that stand for it in text output. */
export const CATEGORIES = [
  ['v8.heap', 'V8 heap'],
  ['v8.code', 'compiled code (JIT)'],
  ['buffers', 'Buffers and WebAssembly memory'],
  ['malloc.live', 'malloc: in use'],
  ['malloc.retained', 'malloc: free, kept by glibc'],
  ['malloc.overhead', 'malloc: bookkeeping'],
  ['stacks', 'thread stacks'],
  ['binary.text', 'programs and libraries: code'],
  ['binary.data', 'programs and libraries: data'],
  ['files', 'mapped files'],
  ['shared', 'shared memory'],
  ['memprobe', 'mapped through memprobe'],
  ['huge.waste', 'huge pages: unused parts'],
  ['unexplained', 'unexplained'],
] as const;

export type CategoryId = (typeof CATEGORIES)[number][0];

/** One line of a category's details, such as one thread's stack or one arena. */
export interface Part {
  label: string;
  /** Resident bytes. */
  bytes: number;
}

/** Resident bytes of mapped files, by what it takes to get them back; they add up to the category's. */
export interface FilePages {
  /** As they are in the file: the kernel can drop them at any moment. */
  clean: number;
  /** Written through a shared mapping, or by write(2): the kernel writes them to the file before it drops them. */
  dirty: number;
  /** Written in a private mapping, and nowhere else: memory like malloc's, which only the program can give up. */
  copied: number;
}

/** A share of the resident memory. */
export interface Category {
  id: CategoryId;
  label: string;
  /** Resident bytes; the categories' bytes add up to `Explanation.rss`. */
  bytes: number;
  /** Bytes of this category that lie in swap, beside `bytes`; absent when there are none. */
  swap?: number;
  /** Where the figure comes from, in words. */
  source: string;
  /** Biggest first; they add up to `bytes` where they are given. */
  parts?: Part[];
  /** Of `files` alone, where there are any. */
  pages?: FilePages;
}

export type VerdictId =
  | 'healthy'
  | 'v8-heap'
  | 'buffers'
  | 'malloc-retained'
  | 'malloc-live'
  | 'stacks'
  | 'files'
  | 'shared'
  | 'huge-pages'
  | 'unknown';

/** The answer in one sentence, with what it rests on. */
export interface Verdict {
  id: VerdictId;
  summary: string;
  evidence: string[];
}

/** Something to do about it. */
export interface Remedy {
  id: string;
  text: string;
  /** A command line or setting that does it, ready to be copied. */
  command?: string;
  /** Bytes that it should give back, where this can be told beforehand. */
  estimate?: number;
}

/** What malloc_trim(3) gave back, measured around the call. */
export interface Trim {
  /** Resident bytes before and after, from /proc/PID/statm. */
  before: number;
  after: number;
  milliseconds: number;
}

/** How the facts were found: in the own process, by attaching to another, or only by looking at /proc. */
export type Way = 'inside' | 'attached' | 'outside';

export interface Explanation {
  version: typeof SCHEMA_VERSION;
  pid: number;
  /** The command name, from /proc/PID/comm; where Node has put its main thread's there, its program's. */
  name: string;
  /** ISO 8601, when the memory map was read. */
  time: string;
  way: Way;
  /** The sum of Rss over /proc/PID/smaps. */
  rss: number;
  /** Proportional set size: pages shared with other processes count in part. */
  pss: number;
  /** Bytes in swap. */
  swap: number;
  categories: Category[];
  verdict: Verdict;
  remedies: Remedy[];
  /** What was measured by `--trim`; every other figure is from before it. */
  trim?: Trim;
  /** What could not be asked, and why. */
  notes: string[];
}
