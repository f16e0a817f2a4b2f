/** Where a workload is looked at while it is replayed. */
import type { Workload } from './stream.js';

export interface Plan {
  /** Operations before the picture: the last moment at which the workload was as good as fullest. */
  readonly moment: number;
  /** How many samples are taken before the picture, and after it. */
  readonly samples: readonly [before: number, after: number];
  /** Where they are taken, in operations, and the bytes that are live there. */
  readonly at: readonly number[];
  readonly live: readonly number[];
  readonly cellBytes: number;
}

const SAMPLES = 120;
const AS_GOOD_AS = 0.99;
/** Cells that what is live would take if it lay side by side. */
const CELLS = 512;

export function planOf({ ops, slots, peakLive }: Workload): Plan {
  const operations = ops.length / 2;
  const live = liveAfterEach(ops, slots);
  const moment = live.findLastIndex((bytes) => bytes >= AS_GOOD_AS * peakLive) + 1;
  const before = Math.min(SAMPLES - 1, Math.max(1, Math.round((SAMPLES * moment) / operations)));
  const after = SAMPLES - before;
  const at = [...spread(0, moment, before), ...spread(moment, operations, after)];
  return {
    moment,
    samples: [before, after],
    at,
    live: at.map((end) => live[end - 1] ?? 0),
    cellBytes: Math.max(16, Math.ceil(peakLive / CELLS)),
  };
}

/** As many parts of equal length: their ends. */
function spread(from: number, to: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, i) => from + Math.floor(((to - from) * (i + 1)) / parts));
}

function liveAfterEach(ops: Int32Array, slots: number): Float64Array {
  const sizes = new Int32Array(slots);
  const live = new Float64Array(ops.length / 2);
  let bytes = 0;
  for (let i = 0; i < live.length; i++) {
    const slot = ops[2 * i]!;
    const size = Math.abs(ops[2 * i + 1]!);
    bytes += size - sizes[slot]!;
    sizes[slot] = size;
    live[i] = bytes;
  }
  return live;
}
