/** What `memprobe heap` prints for people. */
import pico from 'picocolors';
import { bar, count, formatBytes, formatShare, shorten, wrap } from '../format.js';
import type { Facts } from '../heap/header.js';
import type { Region } from '../heap/region.js';
import type { Root } from '../heap/roots.js';
import { eachBlock, type HeapStats } from '../heap/survey.js';
import type { Screen } from './screen.js';

/** What mmalloc_setkey keeps: an address in the heap, of a block of `size` bytes at `ptr`, or whatever else (0 and 0). */
export interface HeapKey {
  readonly key: number;
  readonly value: string;
  readonly ptr: number;
  readonly size: number;
}

/** What `--json` has. Bytes. */
export interface HeapLook {
  readonly file: string;
  readonly header: Omit<Facts, 'base'> & { readonly base: string };
  /** 'crashed': the last writer did not close it. 'written': somebody has it open for writing. */
  readonly state: 'closed' | 'crashed' | 'written';
  /** Its pid, or 0. */
  readonly writer: number;
  readonly stats: HeapStats;
  readonly roots: readonly (Root & { readonly size: number })[];
  readonly keys: readonly HeapKey[];
  /** The arena in equal parts: the share of each that is in use. */
  readonly occupancy: readonly number[];
  /** Why it is not whole. */
  readonly broken: string | undefined;
}

const MOST_ROOTS = 10;
const SHADES = ['·', '░', '▒', '▓', '█'];

/** The arena up to its top in `cells` equal parts. */
export function occupancy(region: Region, cells: number): number[] {
  const used = new Float64Array(cells);
  const blocks: [number, number][] = [];
  let top = 1;
  eachBlock(region, (ptr, size) => {
    blocks.push([ptr, size]);
    top = ptr + size;
  });
  const part = top / cells;
  for (const [ptr, size] of blocks)
    for (let cell = Math.floor(ptr / part); cell < cells && cell * part < ptr + size; cell++) {
      const overlap = Math.min(ptr + size, (cell + 1) * part) - Math.max(ptr, cell * part);
      used[cell]! += Math.max(0, overlap);
    }
  return [...used].map((bytes) => Math.round(Math.min(1, bytes / part) * 1000) / 1000);
}

export function renderHeap(look: HeapLook, { columns, color }: Screen): string {
  const paint = pico.createColors(color);
  const { stats, broken } = look;
  const lines = [
    ...wrap(title(look), columns).map(paint.bold),
    ...wrap(stateOf(look), columns),
    ...wrap(broken === undefined ? '' : `Not whole: ${broken}`, columns)
      .filter(Boolean)
      .map(paint.red),
    '',
    ...figures(stats, columns),
    '',
    ...picture(look, columns),
    '',
    ...rootTable(look, columns, paint),
    ...look.keys.map(tellKey),
  ];
  return `${lines.join('\n')}\n`;
}

function title({ file, header, stats }: HeapLook): string {
  const name = header.name === '' ? '' : ` '${header.name}'`;
  return `${file}: heap${name} of ${formatBytes(stats.length)}, at most ${formatBytes(stats.limit)}, ${count(stats.usedBlocks, 'block')} in use`;
}

function stateOf({ state, writer, broken, header }: HeapLook): string {
  const made = `Version ${header.version}, made at ${header.base}.`;
  if (state === 'written')
    return `Process ${writer} has it open for writing; this is what it looks like meanwhile. ${made}`;
  const whole = broken === undefined ? ', and it is whole' : '';
  return state === 'closed'
    ? `Closed well${whole}. ${made}`
    : `Its last writer did not close it; with what the next one will repair${whole}. ${made}`;
}

function figures(stats: HeapStats, columns: number): string[] {
  const { length, top, usedBytes, gapBytes, gaps, largestGap, fragmentation } = stats;
  const line = (label: string, bytes: number, note = ''): string =>
    `${label.padEnd(18)}${formatBytes(bytes).padStart(10)}  ${formatShare(bytes, length).padStart(4)}  ${note}`.trimEnd();
  const width = Math.max(10, columns - 40);
  return [
    line('in use', usedBytes, bar(usedBytes / length, width)),
    line('free in between', gapBytes, bar(gapBytes / length, width)),
    line('free at the end', length - top, bar((length - top) / length, width)),
    gaps === 0
      ? 'No gaps: nothing is fragmented.'
      : `${count(gaps, 'gap')}, the largest ${formatBytes(largestGap)}: ${Math.round(fragmentation * 100)}% fragmented.`,
  ];
}

/** Used parts dark, free ones light, up to the last block in use. */
function picture({ occupancy: cells, stats }: HeapLook, columns: number): string[] {
  const width = Math.min(columns, 80);
  const text = cells.map((share) => SHADES[Math.ceil(share * 4)] ?? '█').join('');
  const lines = Array.from({ length: Math.ceil(text.length / width) }, (_, i) =>
    text.slice(i * width, (i + 1) * width),
  );
  return [
    ...lines,
    `each ${formatBytes(stats.top / cells.length)}: ${SHADES[0]} free to ${SHADES[4]} in use`,
  ];
}

function tellKey({ key, value, size }: HeapKey): string {
  return `key ${key} → ${value}${size > 0 ? `, ${formatBytes(size)}` : ''}`;
}

function rootTable(
  { roots, keys }: HeapLook,
  columns: number,
  paint: ReturnType<typeof pico.createColors>,
): string[] {
  if (roots.length === 0) return keys.length > 0 ? [] : ['No roots: a program finds nothing again here.'];
  const shown = roots.slice(0, MOST_ROOTS);
  const width = Math.max(10, columns - 46);
  const rows = shown.map(
    ({ name, layout, ptr, size }) =>
      `${shorten(name, width).padEnd(width)}  ${shorten(layout, 16).padEnd(16)} ${`0x${ptr.toString(16)}`.padStart(12)} ${formatBytes(size).padStart(10)}`,
  );
  const more = roots.length > shown.length ? [`${roots.length - shown.length} more roots (--json)`] : [];
  return [
    paint.dim(`${'ROOT'.padEnd(width)}  ${'LAYOUT'.padEnd(16)} ${'AT'.padStart(12)} ${'SIZE'.padStart(10)}`),
    ...rows,
    ...more,
  ];
}
