/**
 * The malloc hooks. They act under `memprobe run --malloc-debug`. No JavaScript runs inside malloc: native functions count
 * what is allocated, of the whole process with all its threads, and sample call sites; JavaScript reads that when it likes.
 */
import type { Address } from '../address.js';
import { native } from '../native.js';

export interface HooksOptions {
  /** Remembers the call site of every so-many-th allocation; 0, the default, of none. */
  readonly sample?: number;
}

/** Blocks whose usable size lies in (from, to], in bytes. */
export interface HookClass {
  readonly from: number;
  readonly to: number;
  /** Since start; a realloc counts as both. Blocks from before start are freed all the same. */
  readonly allocated: { readonly blocks: number; readonly bytes: number };
  readonly freed: { readonly blocks: number; readonly bytes: number };
}

/** The samples of one place. */
export interface HookSite {
  /** The return address of the call. */
  readonly address: Address;
  /** `object:(symbol+0x1a)[0x1964]`, as mtrace writes it. */
  readonly site: string;
  readonly call: 'malloc' | 'realloc' | 'memalign';
  readonly samples: number;
  /** Of the sampled blocks alone; times `sample` it estimates the whole. */
  readonly bytes: number;
}

export interface HookReading {
  readonly running: boolean;
  /** Those in which something happened. */
  readonly classes: readonly HookClass[];
  /** Samples since the last read, most bytes first. */
  readonly sites: readonly HookSite[];
  /** Samples that found the ring full, since the last read: read more often, or sample less. */
  readonly lost: number;
}

type Raw = ReturnType<typeof native.libc.hooks_read>;

const CALLS = ['malloc', 'realloc', 'memalign'] as const;

/**
 * Installs the four hooks. calloc arrives as malloc, aligned_alloc and posix_memalign as memalign. What the hooks cost is
 * in scripts/bench/hooks.ts. Throws `ERR_MEMPROBE_UNSUPPORTED` where libc_malloc_debug.so.0 is not preloaded, and
 * `ERR_MEMPROBE_BUSY` while they are installed already, mtrace writes, or mcheck or MALLOC_CHECK_ is on.
 */
function start({ sample = 0 }: HooksOptions = {}): void {
  native.libc.hooks_start(sample);
}

/** What was counted since start, and the samples since the last read; also after stop. */
function read(): HookReading {
  const raw = native.libc.hooks_read();
  return {
    running: native.libc.malloc_debug_state().hooks,
    classes: classes(raw),
    sites: sites(raw.samples),
    lost: raw.lost,
  };
}

/** Takes the hooks away; nothing when they are not there. Those of a worker thread are those of the process. */
function stop(): void {
  native.libc.hooks_stop();
}

export const hooks = { start, read, stop };

function classes({ allocated, allocatedBytes, freed, freedBytes }: Raw): HookClass[] {
  const at = (counts: BigUint64Array, index: number): number => Number(counts[index] ?? 0n);
  return Array.from(allocated, (_, index) => ({
    from: index === 0 ? 0 : 2 ** (index - 1),
    to: 2 ** index,
    allocated: { blocks: at(allocated, index), bytes: at(allocatedBytes, index) },
    freed: { blocks: at(freed, index), bytes: at(freedBytes, index) },
  })).filter((size) => size.allocated.blocks + size.freed.blocks > 0);
}

function sites(samples: BigUint64Array): HookSite[] {
  const found = new Map<
    string,
    { address: Address; call: HookSite['call']; samples: number; bytes: number }
  >();
  for (let i = 0; i + 4 <= samples.length; i += 4) {
    const [kind = 0n, bytes = 0n, address = 0n] = samples.subarray(i, i + 3);
    const call = CALLS[Number(kind)] ?? 'malloc';
    const key = `${call} ${address}`;
    const site = found.get(key) ?? { address, call, samples: 0, bytes: 0 };
    site.samples++;
    site.bytes += Number(bytes);
    found.set(key, site);
  }
  return [...found.values()]
    .sort((a, b) => b.bytes - a.bytes)
    .map((site) => ({ ...site, site: native.libc.hooks_site(site.address) }));
}

/**
 * What the variable of this name holds: the address of a function, or 0n. `hooks.start` sets these four; without
 * libc_malloc_debug.so.0 they exist and nobody reads them. `ERR_MEMPROBE_UNSUPPORTED` where they do not exist.
 * @see malloc_hook(3)
 */
export const __malloc_hook = native.libc.__malloc_hook;
/** calloc has no hook: it calls {@link __malloc_hook}. @see malloc_hook(3) */
export const __realloc_hook = native.libc.__realloc_hook;
/** Of memalign, aligned_alloc, posix_memalign, valloc, pvalloc. @see malloc_hook(3) */
export const __memalign_hook = native.libc.__memalign_hook;
/** @see malloc_hook(3) */
export const __free_hook = native.libc.__free_hook;

/**
 * Called once, at the first allocation of a process, by libc_malloc_debug.so.0 alone, and so only of use to what is
 * preloaded or linked: when an addon is loaded that has long happened. @see malloc_hook(3)
 */
export const __malloc_initialize_hook = native.libc.__malloc_initialize_hook;

/** Was called when the heap had grown. The variable is still there for old programs; glibc does not read it since 2.34. */
export const __after_morecore_hook = native.libc.__after_morecore_hook;
