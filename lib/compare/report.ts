/** What `memprobe compare --json` prints. Memory in bytes, times in nanoseconds of CPU time. */
import type { Faults } from './contender.js';

/**
 * `typescript` is TsAllocator; `glibc` is the C library's malloc, replayed in C; `glibc-called` the same, called from
 * JavaScript for each operation, through LibcAllocator. What Node itself allocates meanwhile lies on the latter's heap too.
 */
export type AllocatorName = 'typescript' | 'glibc' | 'glibc-called';

/** How one allocator did on one workload. */
export interface Measured {
  readonly allocator: AllocatorName;
  /** For a call of malloc, free or realloc, the replay's own loop included; null where the workload did not fit. */
  readonly nanoseconds: number | null;
  /** The most that the heap spanned: from its start to the highest end of a block, and blocks mapped apart. */
  readonly peak: number;
  readonly peakOverLive: number;
  /** The most of the heap that was in memory. */
  readonly resident: number;
  /** Of the first replay, in which every page of every block is written to. */
  readonly faults: Faults;
  /** Allocations that got nothing. */
  readonly failed: number;
  /** What of the heap was in memory, at each of `Compared.timeline`. */
  readonly timeline: readonly number[];
  /** How full each `cellBytes` of the heap were at the `moment`, from 0 to 1; only where a picture was asked for. */
  readonly picture?: readonly number[];
}

/** One workload on all allocators. */
export interface Compared {
  readonly workload: string;
  /** Calls of malloc, free and realloc. */
  readonly calls: number;
  /** Most bytes live at once, as they were asked for. */
  readonly peakLive: number;
  /** What a log does not tell, in words. */
  readonly notes: readonly string[];
  /** Where samples were taken, in operations, and the bytes that were live there. */
  readonly timeline: { readonly at: readonly number[]; readonly live: readonly number[] };
  readonly operations: number;
  /** The operation after which the pictures were taken: the last at which the workload was as good as fullest. */
  readonly moment: number;
  /** Bytes that a cell of a picture stands for. */
  readonly cellBytes: number;
  readonly results: readonly Measured[];
}

/** Geometric means over the workloads; null where there is nothing to compare. */
export interface Summary {
  /** TypeScript's time over glibc's. */
  readonly time: number | null;
  /** The time of glibc called from JavaScript over TypeScript's. */
  readonly called: number | null;
  /** TypeScript's peak over glibc's, of workloads with at least LEAST_LIVE. */
  readonly memory: number | null;
}

export interface Comparison {
  readonly version: 1;
  readonly summary: Summary;
  readonly workloads: readonly Compared[];
}

/** With less live, the peak is overhead of the heap as a whole and says nothing of how it is used. */
export const LEAST_LIVE = 65_536;

export function resultOf({ results }: Compared, name: AllocatorName): Measured | undefined {
  return results.find(({ allocator }) => allocator === name);
}

export function comparison(workloads: readonly Compared[]): Comparison {
  const large = workloads.filter(({ peakLive }) => peakLive >= LEAST_LIVE);
  const summary = {
    time: mean(workloads, 'typescript', 'glibc', ({ nanoseconds }) => nanoseconds),
    called: mean(workloads, 'glibc-called', 'typescript', ({ nanoseconds }) => nanoseconds),
    memory: mean(large, 'typescript', 'glibc', ({ peak, failed }) => (failed > 0 ? null : peak)),
  };
  return { version: 1, summary, workloads };
}

function mean(
  workloads: readonly Compared[],
  over: AllocatorName,
  under: AllocatorName,
  figure: (measured: Measured) => number | null,
): number | null {
  const logs = workloads.flatMap((workload) => {
    const [a, b] = [resultOf(workload, over), resultOf(workload, under)].map((m) => m && figure(m));
    return a && b ? [Math.log(a / b)] : [];
  });
  if (logs.length === 0) return null;
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}
