/** What came out, in a sentence. */
import { count } from '../format.js';
import type { Comparison } from './report.js';

/** Differences that another run may turn around. */
const SAME = 0.05;

export function verdict({ summary, workloads }: Comparison): string {
  const { time, called, memory } = summary;
  if (time === null) return 'There is no time to compare: no workload fitted into every heap.';
  const parts = [
    `${speed(time)} glibc's`,
    ...(memory === null ? [] : [`needs ${share(memory)}`]),
    ...(called === null ? [] : [`${speed(1 / called)} calling glibc's from JavaScript`]),
  ];
  const over = workloads.length === 1 ? '' : ` (geometric means over ${count(workloads.length, 'workload')})`;
  return `memprobe's malloc in TypeScript ${listed(parts)}${over}.`;
}

const listed = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join() : `${parts.slice(0, -1).join(', ')}, and ${parts.at(-1)}`;

/** Of a time over another. */
function speed(ratio: number): string {
  if (Math.abs(ratio - 1) < SAME) return 'is as fast as';
  return ratio > 1
    ? `takes ${ratio.toFixed(1)} times as long as`
    : `is ${(1 / ratio).toFixed(1)} times as fast as`;
}

function share(ratio: number): string {
  const percent = Math.round(100 * Math.abs(ratio - 1));
  if (percent === 0) return 'as much memory';
  return `${percent}% ${ratio > 1 ? 'more' : 'less'} memory`;
}
