/** What the heaps look like when the workload is fullest. */
import { formatBytes, formatShare } from '../format.js';
import { LABELS } from './labels.js';
import type { Compared, Measured } from './report.js';

/** From free to full. */
const SHADES = ['·', '░', '▒', '▓', '█'];
const NEARLY = 0.97;
const INDENT = 2;
/** More of a heap is not drawn. */
const MOST_ROWS = 12;
const MOST_WIDTH = 96;

/** Nothing where no pictures were taken. Heaps are drawn to one scale, so that the longer one is the larger. */
export function renderPicture(workload: Compared, columns: number): string[] {
  const { results, moment, operations, cellBytes } = workload;
  const pictures = results.filter(({ picture }) => picture !== undefined);
  if (pictures.length === 0) return [];
  return [
    '',
    `the heap after ${formatShare(moment, operations)} of the operations, when the workload was last fullest:`,
    `a cell is ${formatBytes(cellBytes)}, ${SHADES[0]} free, ${SHADES.slice(1, 4).join(' ')} partly used, ${SHADES[4]} full`,
    ...pictures.flatMap((result) => drawn(result, columns)),
  ];
}

function drawn({ allocator, picture = [] }: Measured, columns: number): string[] {
  const width = Math.min(columns, MOST_WIDTH) - INDENT;
  const used = picture.reduce((sum, full) => sum + full, 0);
  const shown = picture.slice(0, MOST_ROWS * width);
  const rows = Array.from({ length: Math.ceil(shown.length / width) }, (_, row) =>
    shown.slice(row * width, (row + 1) * width),
  );
  const rest = picture.length - shown.length;
  return [
    `${LABELS[allocator]}, ${formatShare(used, picture.length)} of it used`,
    ...rows.map((row) => `${' '.repeat(INDENT)}${row.map(shade).join('')}`),
    ...(rest > 0 ? [`${' '.repeat(INDENT)}… and ${rest} cells more`] : []),
  ];
}

function shade(full: number): string {
  if (full >= NEARLY) return SHADES[4]!;
  return full <= 0 ? SHADES[0]! : SHADES[1 + Math.min(2, Math.floor(full * 3))]!;
}
