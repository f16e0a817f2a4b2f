/** Time against memory, each allocator a point: as text, and as an SVG. Below and left is better. */
import { geomean, type Result } from './race.js';

export interface Point {
  contender: string;
  /** Geometric means over the workloads that every contender on the front ran and has a peak for. */
  time: number;
  memory: number;
}

/** Live bytes below which a heap is mostly its own state. */
const ENOUGH = 100_000;

/** `results` by workload, `live` its peak of live bytes. Contenders without memory figures or with a gap are no points. */
export function frontOf(results: Record<string, Result[]>, live: Map<string, number>): Point[] {
  const rows = Object.entries(results).filter(([name]) => (live.get(name) ?? 0) >= ENOUGH);
  const names = [...new Set(rows.flatMap(([, row]) => row.map(({ contender }) => contender)))];
  return names.flatMap((contender) => {
    const own = rows.flatMap(([, row]) => row.filter((result) => result.contender === contender));
    const times = own.flatMap(({ ratio }) => ratio ?? []);
    const peaks = own.flatMap(({ peakOverLive }) => peakOverLive ?? []);
    if (times.length < rows.length || peaks.length < rows.length || rows.length === 0) return [];
    return { contender, time: geomean(times), memory: geomean(peaks) };
  });
}

interface Scale {
  x(memory: number): number;
  y(time: number): number;
}

/** From 0 to 1 over the points and some air; time by its logarithm. */
function scaleOf(points: Point[]): Scale {
  const memories = points.map(({ memory }) => memory);
  const times = points.map(({ time }) => Math.log(time));
  const within = (values: number[], air: number) => {
    const low = Math.min(...values) - air;
    const high = Math.max(...values) + air;
    return (value: number): number => (value - low) / (high - low);
  };
  const x = within(memories, 0.02);
  const y = within(times, 0.1);
  return { x, y: (time) => y(Math.log(time)) };
}

const legend = ({ contender, time, memory }: Point): string =>
  `${contender.padEnd(15)} time ${time.toFixed(2)} of glibc's, memory ${memory.toFixed(3)} of live`;

export function drawText(points: Point[]): string {
  const [width, height] = [60, 14];
  const grid = Array.from({ length: height }, () => new Array<string>(width).fill(' '));
  const scale = scaleOf(points);
  const letter = (i: number): string => String.fromCharCode(65 + i);
  points.forEach(({ time, memory }, i) => {
    const row = grid[height - 1 - Math.round(scale.y(time) * (height - 1))];
    if (row !== undefined) row[Math.round(scale.x(memory) * (width - 1))] = letter(i);
  });
  const lines = grid.map((row) => `  | ${row.join('')}`.trimEnd());
  return [
    'time (logarithmic) against memory: below and left is better',
    ...lines,
    `  +${'-'.repeat(width)}> memory`,
    ...points.map((point, i) => `  ${letter(i)} ${legend(point)}`),
  ].join('\n');
}

export function drawSvg(points: Point[]): string {
  const [width, height, margin] = [640, 400, 60];
  const scale = scaleOf(points);
  const dots = points.map((point) => {
    const x = margin + scale.x(point.memory) * (width - 2 * margin);
    const y = height - margin - scale.y(point.time) * (height - 2 * margin);
    const at = (value: number): string => value.toFixed(1);
    const left = x > width / 2; // of the point: there is room
    const place = `x="${at(left ? x - 8 : x + 8)}" y="${at(y + 4)}" text-anchor="${left ? 'end' : 'start'}"`;
    return `<circle cx="${at(x)}" cy="${at(y)}" r="5"><title>${legend(point)}</title></circle>
<text ${place}>${point.contender}: ${point.time.toFixed(2)}, ${point.memory.toFixed(2)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">
<path d="M${margin} ${margin / 2}V${height - margin}H${width - margin / 2}" fill="none" stroke="black"/>
<text x="${width / 2}" y="${height - 20}" text-anchor="middle">most bytes used, of most bytes live</text>
<text transform="translate(24 ${height / 2}) rotate(-90)" text-anchor="middle">CPU time, of glibc's in C (logarithmic)</text>
${dots.join('\n')}
</svg>
`;
}
