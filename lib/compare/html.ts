/** The comparison as one HTML page that needs nothing else: a chart of memory over time for each workload, as SVG. */
import { count, formatBytes } from '../format.js';
import { LABELS } from './labels.js';
import type { Compared, Comparison } from './report.js';
import { verdict } from './verdict.js';

const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 76;
const BOTTOM = 24;
const TOP = 8;

const STYLE = `
:root { color-scheme: light dark; --live: #8886; --typescript: #2563eb; --glibc: #c2410c; --glibc-called: #15803d; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 780px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.3em; } h2 { font-size: 1.1em; margin-top: 2.5em; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: currentColor; }
.grid { stroke: #8884; } .live { fill: var(--live); } .line { fill: none; stroke-width: 1.5; }
table { border-collapse: collapse; } th, td { padding: .15em .8em; text-align: right; } td:first-child { text-align: left; }
`;

export function htmlOf(comparison: Comparison): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>memprobe compare</title>
<style>${STYLE}</style>
<h1>${escaped(verdict(comparison))}</h1>
<p>Each chart shows what of the heap was in memory while the workload ran, and the bytes that were asked for and not yet
freed (grey). Figures are of the same run; times are CPU time for a call of malloc, free or realloc.</p>
${comparison.workloads.map(section).join('\n')}
</html>
`;
}

function section(workload: Compared): string {
  const { calls, peakLive, notes, results } = workload;
  const rows = results.map(({ allocator, nanoseconds, peak, peakOverLive, resident, faults }) => {
    const figures = [
      nanoseconds?.toFixed(1) ?? '–',
      formatBytes(peak),
      peakOverLive.toFixed(2),
      formatBytes(resident),
      faults.minor + faults.major,
    ];
    const key = `<span style="color: var(--${allocator})">●</span> ${LABELS[allocator]}`;
    return `<tr><td>${key}</td>${figures.map((figure) => `<td>${figure}</td>`).join('')}</tr>`;
  });
  return `<h2>${escaped(workload.workload)}</h2>
<p>${count(calls, 'call')}, at most ${formatBytes(peakLive)} live. ${escaped(notes.join('; '))}</p>
${chart(workload)}
<table><tr><th></th><th>ns per call</th><th>peak</th><th>peak/live</th><th>resident</th><th>page faults</th></tr>
${rows.join('\n')}</table>`;
}

function chart({ timeline, operations, results, workload }: Compared): string {
  const most = Math.max(1, ...timeline.live, ...results.flatMap((result) => result.timeline));
  const step = tickStep(most);
  const top = Math.ceil(most / step) * step;
  const x = (at: number): string => (LEFT + (at / operations) * (WIDTH - LEFT)).toFixed(1);
  const y = (bytes: number): string => (TOP + (1 - bytes / top) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  const points = (values: readonly number[]): string =>
    timeline.at.map((at, i) => `${x(at)},${y(values[i] ?? 0)}`).join(' ');
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="memory of ${escaped(workload)} over time">
${ticks.map((bytes) => tick(bytes, y(bytes))).join('\n')}
<polygon class="live" points="${x(0)},${y(0)} ${points(timeline.live)} ${x(operations)},${y(0)}"/>
${results.map(({ allocator, timeline: values }) => `<polyline class="line" style="stroke: var(--${allocator})" points="${points(values)}"/>`).join('\n')}
<text x="${LEFT}" y="${HEIGHT - 6}">start</text><text x="${WIDTH}" y="${HEIGHT - 6}" text-anchor="end">${count(operations, 'operation')}</text>
</svg>`;
}

const tick = (bytes: number, y: string): string =>
  `<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${y}" y2="${y}"/>` +
  `<text x="${LEFT - 6}" y="${y}" dy="4" text-anchor="end">${formatBytes(bytes)}</text>`;

/** A power of two, so that four to eight of them reach the top. */
function tickStep(most: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(most / 8)));
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => ENTITIES[sign] ?? sign);
}
