/** Groups and draws the memory map. Pure. */
import pico from 'picocolors';
import { formatBytes, shorten } from '../format.js';
import { isAnonymous, isReserved, type Row, Rows } from '../explain/rows.js';
import type { Smaps } from '../procfs/smaps.js';

/** The kernel's name of each size that lines can be sorted by. */
const FIELDS = {
  rss: 'Rss',
  pss: 'Pss',
  size: 'Size',
  swap: 'Swap',
  dirty: 'Private_Dirty',
  anonymous: 'Anonymous',
  huge: 'AnonHugePages',
} as const;

export type Sorting = keyof typeof FIELDS | 'address';
export type Grouping = 'file' | 'kind' | 'none';
export const SORTS: readonly Sorting[] = [
  'rss',
  'pss',
  'size',
  'swap',
  'dirty',
  'anonymous',
  'huge',
  'address',
];

type Sizes = Record<keyof typeof FIELDS, number>;

/** One line: a mapping, or all mappings of a file or a kind. Sizes in bytes. */
export interface MapLine extends Sizes {
  label: string;
  mappings: number;
  /** Hexadecimal; of the first mapping where there are several. */
  start: string;
  perms?: string;
}

const NAMES = ['rss', 'pss', 'size', 'swap', 'dirty', 'anonymous', 'huge'] as const;

export function group(smaps: Smaps, by: Grouping, sort: Sorting): MapLine[] {
  const rows = new Rows(smaps);
  const columns = NAMES.map((name) => [name, smaps.column(FIELDS[name])] as const);
  const lines = new Map<string, MapLine>();
  for (let i = 0; i < rows.length; i++) {
    const row = rows.at(i);
    if (!row) continue;
    const start = row.start.toString(16);
    const label = by === 'kind' ? kindOf(row) : row.path || '[anonymous]';
    const key = by === 'none' ? String(i) : label;
    const line = lines.get(key) ?? { label, mappings: 0, start, ...NO_SIZES };
    if (by === 'none') line.perms = row.perms;
    line.mappings++;
    for (const [name, values] of columns) line[name] += values?.[i] || 0;
    lines.set(key, line);
  }
  const list = [...lines.values()];
  return sort === 'address' ? list : list.sort((a, b) => b[sort] - a[sort] || b.rss - a.rss);
}

const NO_SIZES: Sizes = {
  rss: 0,
  pss: 0,
  size: 0,
  swap: 0,
  dirty: 0,
  anonymous: 0,
  huge: 0,
};

export function renderMaps(lines: MapLine[], shown: number, { columns = 80, color = false }): string {
  const paint = pico.createColors(color);
  const heads = ['RSS', 'PSS', 'DIRTY', 'SWAP', 'SIZE'].map((head) => head.padStart(9)).join(' ');
  const body = lines
    .slice(0, shown)
    .map((line) => `${sizes(line)}  ${nameOf(line, Math.max(28, columns - 51))}`);
  const all: Sizes & { mappings: number } = { ...NO_SIZES, mappings: 0 };
  for (const line of lines) {
    all.mappings += line.mappings;
    for (const name of NAMES) all[name] += line[name];
  }
  const hidden = lines.length - shown > 0 ? `, ${lines.length - shown} lines not shown` : '';
  const total = `${sizes(all)}  ${all.mappings} mappings${hidden}`;
  return [paint.bold(`${heads}  MAPPING`), ...body, paint.bold(total), ''].join('\n');
}

function sizes({ rss, pss, dirty, swap, size }: Sizes): string {
  return [rss, pss, dirty, swap, size].map((bytes) => formatBytes(bytes).padStart(9)).join(' ');
}

/** Where it is too long, the path gives way: what distinguishes mappings of one file is their address. */
function nameOf({ label, mappings, perms, start }: MapLine, width: number): string {
  if (perms === undefined) return shorten(mappings > 1 ? `${label} (${mappings})` : label, width);
  const place = `${start} ${perms} `;
  return place + shorten(label, width - place.length);
}

/** What the map itself says a mapping is; `memprobe explain` tells more. */
function kindOf(row: Row): string {
  const { path, perms } = row;
  if (isReserved(row)) return 'reserved addresses';
  if (perms[3] === 's') return 'shared';
  if (isAnonymous(row)) return perms[2] === 'x' ? 'anonymous code' : 'anonymous memory';
  if (path.startsWith('[')) return path;
  if (perms[2] === 'x') return 'program code';
  return perms[1] === 'w' ? 'file data, writable' : 'file data, read-only';
}
