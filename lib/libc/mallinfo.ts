/** What the C library's allocator says of itself, and its knobs. */
import { parseXml, type XmlElement } from '@rgrove/parse-xml';
import { native } from '../native.js';

/**
 * Statistics of the main arena and of mmapped chunks, in C ints: they overflow, to negative numbers too, at 2 GiB. Use
 * mallinfo2. @see mallinfo(3)
 */
export const mallinfo = native.libc.mallinfo;

/** Statistics in bytes, summed over all arenas. glibc 2.33; `ERR_MEMPROBE_UNSUPPORTED` before. @see mallinfo2(3) */
export const mallinfo2 = native.libc.mallinfo2;

/** The state of every arena, as XML. `options` must be 0: EINVAL. {@link parseMallocInfo} reads it. @see malloc_info(3) */
export const malloc_info = native.libc.malloc_info;

/** What malloc_stats prints to stderr, as a string; nothing is printed. Overflows at 4 GiB. @see malloc_stats(3) */
export const malloc_stats = native.libc.malloc_stats;

/**
 * Gives free pages of all arenas back to the kernel, keeping `pad` bytes at the top of the main heap. 1: some were given
 * back, 0: none. It walks every free chunk: on a large heap prefer the promise form. @see malloc_trim(3)
 */
export const malloc_trim = native.libc.malloc_trim;

/**
 * Sets a parameter for the whole process: 1, or 0 where glibc refuses the value (M_MXFAST beyond 160). It is 1 also for what
 * is ignored, unknown parameters among it. @see mallopt(3)
 */
export const mallopt = native.libc.mallopt;

/**
 * Once saved the heap for Emacs; since glibc 2.25 it answers ENOSYS, and since 2.34 it is left in libc_malloc_debug.so.0
 * alone (`ERR_MEMPROBE_UNSUPPORTED` without). A heap that can be saved and taken up again by the next process is what
 * `memprobe/mmalloc` is.
 */
export const malloc_get_state = native.libc.malloc_get_state;

/**
 * Restored what malloc_get_state had saved, before the first allocation of a process: -1 for anything else, as always in
 * Node, and -2 for a state of a later version. As malloc_get_state otherwise; `ptr` must be a block of memprobe's.
 */
export const malloc_set_state = native.libc.malloc_set_state;

const c = native.constants;
/** Largest request that fastbins serve, 160 at most. Ignored since glibc 2.43, which has no fastbins. */
export const M_MXFAST = c.M_MXFAST;
/** Ignored by glibc. */
export const M_NLBLKS = c.M_NLBLKS;
/** Ignored by glibc. */
export const M_GRAIN = c.M_GRAIN;
/** Ignored by glibc. */
export const M_KEEP = c.M_KEEP;
/** Free bytes at the top above which free() gives them back; setting it ends the dynamic threshold. */
export const M_TRIM_THRESHOLD = c.M_TRIM_THRESHOLD;
/** Bytes that are asked for beyond the need when the heap grows. */
export const M_TOP_PAD = c.M_TOP_PAD;
/** Requests from this size on get mappings of their own; setting it ends the dynamic threshold. */
export const M_MMAP_THRESHOLD = c.M_MMAP_THRESHOLD;
/** How many such mappings there may be. */
export const M_MMAP_MAX = c.M_MMAP_MAX;
/** Ignored since glibc 2.26. */
export const M_CHECK_ACTION = c.M_CHECK_ACTION;
/** A byte that fresh and freed memory is filled with. */
export const M_PERTURB = c.M_PERTURB;
/** How many arenas are made before their limit is worked out from the number of cores. */
export const M_ARENA_TEST = c.M_ARENA_TEST;
/** How many arenas there may be. */
export const M_ARENA_MAX = c.M_ARENA_MAX;

/** Chunks whose sizes lie in [from, to], headers included. */
export interface MallocBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Bytes of all of them. */
  readonly total: number;
}

/** One arena of malloc_info; all in bytes. */
export interface MallocArena {
  /** 0 is the main arena. */
  readonly nr: number;
  /** Had from the kernel: now, and at most. */
  readonly system: { readonly current: number; readonly max: number };
  /** Not free: `system.current` less fastbins, bins and top. It holds headers, and what thread caches keep. */
  readonly inUse: number;
  readonly fastbins: { readonly count: number; readonly total: number };
  /** Free in bins, without fastbins and top. */
  readonly free: { readonly count: number; readonly total: number };
  /** The free rest at the end, from which new chunks are cut. */
  readonly top: number;
  /** Free by size; the last may be the unsorted bin. */
  readonly bins: readonly MallocBin[];
}

/** malloc_info, parsed. */
export interface MallocInfo {
  readonly version: string;
  readonly arenas: readonly MallocArena[];
  /** Chunks that are mappings of their own; they belong to no arena. */
  readonly mmapped: { readonly count: number; readonly total: number };
  /** Of all arenas, without the mmapped chunks. */
  readonly system: { readonly current: number; readonly max: number };
}

const attribute = (element: XmlElement, name: string): number => Number(element.attributes[name] ?? 0);

const elements = (parent: XmlElement): XmlElement[] =>
  parent.children.filter((child): child is XmlElement => child.type === 'element');

/** The child `name` whose attribute `type` is this: malloc_info tells everything so. */
function typed(parent: XmlElement, name: string, type: string): XmlElement | undefined {
  return elements(parent).find((child) => child.name === name && child.attributes.type === type);
}

function counted(parent: XmlElement, type: string): { count: number; total: number } {
  const found = typed(parent, 'total', type);
  return found === undefined
    ? { count: 0, total: 0 }
    : { count: attribute(found, 'count'), total: attribute(found, 'size') };
}

function system(parent: XmlElement): { current: number; max: number } {
  const size = (type: string): number => {
    const found = typed(parent, 'system', type);
    return found === undefined ? 0 : attribute(found, 'size');
  };
  return { current: size('current'), max: size('max') };
}

function bins(heap: XmlElement): MallocBin[] {
  const sizes = elements(heap).find((child) => child.name === 'sizes');
  return (sizes === undefined ? [] : elements(sizes)).map(bin);
}

/** glibc adds up the raw size fields of free chunks, PREV_INUSE bit included, outside the fastbins. */
function bin(element: XmlElement): MallocBin {
  const to = attribute(element, 'to');
  const flag = to % 16;
  const count = attribute(element, 'count');
  return {
    from: attribute(element, 'from') - flag,
    to: to - flag,
    count,
    total: attribute(element, 'total') - flag * count,
  };
}

function arena(heap: XmlElement): MallocArena {
  const fastbins = counted(heap, 'fast');
  const rest = counted(heap, 'rest');
  const held = bins(heap);
  // glibc counts the top chunk into the rest, and lists everything else by size.
  const listed = held.reduce((sum, bin) => ({ count: sum.count + bin.count, total: sum.total + bin.total }), {
    count: 0,
    total: 0,
  });
  const free = { count: listed.count - fastbins.count, total: listed.total - fastbins.total };
  const top = rest.total - free.total - free.count; // the rest still counts the flags
  const have = system(heap);
  return {
    nr: attribute(heap, 'nr'),
    system: have,
    inUse: have.current - fastbins.total - free.total - top,
    fastbins,
    free,
    top,
    bins: held,
  };
}

/** Reads the text of {@link malloc_info}. Throws a TypeError for anything else. */
export function parseMallocInfo(text: string): MallocInfo {
  const root = parseXml(text).root;
  if (root === null || root.name !== 'malloc') {
    throw new TypeError('The "text" argument must be what malloc_info returns: its root element is <malloc>');
  }
  return {
    version: root.attributes.version ?? '',
    arenas: elements(root)
      .filter((child) => child.name === 'heap')
      .map(arena),
    mmapped: counted(root, 'mmap'),
    system: system(root),
  };
}
