/** The comparison for people. */
import pico from 'picocolors';
import { count, formatBytes, shorten, wrap } from '../format.js';
import { LABELS } from './labels.js';
import { renderPicture } from './picture.js';
import { type Compared, type Comparison, LEAST_LIVE, resultOf } from './report.js';
import { verdict } from './verdict.js';

export interface RenderOptions {
  columns: number;
  color: boolean;
  /** Every figure of every workload. */
  verbose?: boolean;
}

/** More than these are told in a line each. */
const FEW = 3;
const MIB = 2 ** 20;
const NOTHING = '–';

export function renderComparison(comparison: Comparison, options: RenderOptions): string {
  const { workloads } = comparison;
  const { bold, dim } = pico.createColors(options.color);
  const inDetail = options.verbose || workloads.length <= FEW;
  const lines = [
    ...wrap(verdict(comparison), options.columns).map(bold),
    ...(inDetail ? workloads.flatMap((each) => ['', ...details(each, options)]) : ['', ...table(workloads)]),
    '',
    ...legend(inDetail).flatMap((line) => wrap(line, options.columns).map(dim)),
  ];
  return `${lines.join('\n')}\n`;
}

function legend(inDetail: boolean): string[] {
  const [typescript, called] = inDetail ? ['TypeScript', LABELS['glibc-called']] : ['TS', 'called'];
  return [
    `${typescript}: memprobe's allocator. glibc: its malloc, replayed in C. ${called}: the same through a call of the addon for each operation, on a heap that Node uses too.`,
    `peak/live: what the heap spanned at most over what was asked for at once (${NOTHING}: less than 64 KiB, it would tell nothing). resident: what of the heap was in memory at most.`,
  ];
}

/** A line for each. */
function table(workloads: readonly Compared[]): string[] {
  const head = [
    `${''.padEnd(13)}${'ns per call'.padStart(21)}${'peak/live'.padStart(14)}${'resident, MiB'.padStart(16)}${'page faults'.padStart(16)}`,
    `${''.padEnd(13)}${cells(['TS', 'glibc', 'called'], 7)}${cells(['TS', 'glibc'], 7)}${cells(['TS', 'glibc'], 8)}${cells(['TS', 'glibc'], 8)}`,
  ];
  return [...head, ...workloads.map(row)];
}

function row(workload: Compared): string {
  const [ts, glibc, called] = [
    resultOf(workload, 'typescript'),
    resultOf(workload, 'glibc'),
    resultOf(workload, 'glibc-called'),
  ];
  const both = [ts, glibc];
  return [
    shorten(workload.workload, 13).padEnd(13),
    cells(
      [ts, glibc, called].map((each) => time(each?.nanoseconds)),
      7,
    ),
    cells(
      both.map((each) => ratio(workload, each?.peakOverLive)),
      7,
    ),
    cells(
      both.map((each) => ((each?.resident ?? 0) / MIB).toFixed(2)),
      8,
    ),
    cells(
      both.map((each) => String((each?.faults.minor ?? 0) + (each?.faults.major ?? 0))),
      8,
    ),
  ].join('');
}

const cells = (texts: readonly string[], width: number): string =>
  texts.map((text) => text.padStart(width)).join('');

const time = (nanoseconds: number | null | undefined): string => nanoseconds?.toFixed(1) ?? NOTHING;

const ratio = ({ peakLive }: Compared, value: number | undefined): string =>
  peakLive < LEAST_LIVE ? NOTHING : (value?.toFixed(2) ?? NOTHING);

/** A table of its own. */
function details(workload: Compared, { columns, color }: RenderOptions): string[] {
  const { bold, yellow } = pico.createColors(color);
  const { calls, peakLive, notes, results } = workload;
  const said = `${workload.workload}: ${count(calls, 'call')}, at most ${formatBytes(peakLive)} live`;
  const full = results.flatMap(({ allocator, failed }) =>
    failed === 0 ? [] : [`${LABELS[allocator]} had no room for ${count(failed, 'allocation')}`],
  );
  return [
    bold(said),
    ...[...notes, ...full].flatMap((note) => wrap(note, columns, '  ! ').map(yellow)),
    `${''.padEnd(22)}${cells(['ns/call', 'peak', 'peak/live', 'resident', 'faults'], 11)}`,
    ...results.map(({ allocator, nanoseconds, peak, peakOverLive, resident, faults }) => {
      const figures = [
        time(nanoseconds),
        formatBytes(peak),
        ratio(workload, peakOverLive),
        formatBytes(resident),
      ];
      return `${LABELS[allocator].padEnd(22)}${cells([...figures, String(faults.minor + faults.major)], 11)}`;
    }),
    ...renderPicture(workload, columns),
  ];
}
