/** What `memprobe numa` prints for people. */
import pico from 'picocolors';
import { bar, count, formatBytes, formatShare, wrap } from '../format.js';
import { formatList, KINDS, type NumaNode, type NumaTopology, type ProcessMemory } from '../numa/index.js';
import type { Screen } from './screen.js';

/** This thread's policy and the nodes of its cpuset, or why they could not be asked for. */
export type PolicyHere = { policy: string; allowedNodes: number[] } | { refused: string };

type Paint = ReturnType<typeof pico.createColors>;

export function renderTopology(topology: NumaTopology, here: PolicyHere, { columns, color }: Screen): string {
  const paint = pico.createColors(color);
  const lines = [
    ...wrap(summary(topology), columns).map(paint.bold),
    '',
    ...nodeTable(topology.nodes, columns, paint),
    '',
    ...distanceTable(topology.nodes, columns, paint),
    ...wrap(describePolicy(here), columns),
  ];
  return `${lines.join('\n')}\n`;
}

function summary({ nodes, holes }: NumaTopology): string {
  const sum = (part: (node: NumaNode) => number) => nodes.reduce((all, node) => all + part(node), 0);
  const parts = [
    `${count(nodes.length, 'node')} (${formatList(nodes.map(({ id }) => id))})`,
    count(
      sum(({ cpus }) => cpus.length),
      'CPU',
    ),
    `${formatBytes(sum(({ memory }) => memory.total))} of memory`,
    `${formatBytes(sum(({ memory }) => memory.free))} free`,
  ];
  if (holes.length > 0) parts.push(`no node ${formatList(holes)}`);
  return parts.join(', ');
}

function nodeTable(nodes: NumaNode[], columns: number, paint: Paint): string[] {
  const width = Math.max(4, ...nodes.map(({ cpus }) => formatList(cpus).length));
  const cpuWidth = Math.min(width, 24);
  const head = `NODE  ${'CPUS'.padEnd(cpuWidth)} ${'MEMORY'.padStart(9)} ${'FREE'.padStart(9)}`;
  const rows = nodes.flatMap((node) => {
    const { total, free } = node.memory;
    const [first = '', ...more] = wrapList(formatList(node.cpus), cpuWidth);
    const sizes = `${formatBytes(total).padStart(9)} ${formatBytes(free).padStart(9)}`;
    const share = `${formatShare(free, total).padStart(4)} ${paint.cyan(bar(total > 0 ? free / total : 0, 10))}`;
    const row = `${String(node.id).padStart(4)}  ${first.padEnd(cpuWidth)} ${sizes} `;
    const rest = more.map((part) => `      ${part}`);
    return [row + (total > 0 ? share : '(no memory)'), ...rest, ...hugePages(node, columns).map(paint.dim)];
  });
  return [paint.bold(head), ...rows];
}

function hugePages({ hugePages: sizes }: NumaNode, columns: number): string[] {
  const used = sizes.filter(({ total }) => total > 0);
  if (used.length === 0) return [];
  const parts = used.map(({ size, total, free }) => `${total} of ${formatBytes(size)} (${free} free)`);
  return wrap(`huge pages: ${parts.join(', ')}`, columns - 6).map((line) => `      ${line}`);
}

/** A long list of CPUs breaks at its commas. */
function wrapList(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const part of text.split(/(?<=,)/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length <= width) lines[lines.length - 1] = last + part;
    else lines.push(part);
  }
  return lines;
}

const SHADES = [' ', '░', '▒', '▓'];

/** From here to there, the farther the hotter; so many columns at a time as there is room for. */
function distanceTable(nodes: NumaNode[], columns: number, paint: Paint): string[] {
  const all = nodes.flatMap(({ distances }) => [...distances.values()]);
  const width =
    Math.max(...[...all, ...nodes.map(({ id }) => id)].map((number) => String(number).length)) + 3;
  const room = Math.max(1, Math.floor((columns - 8) / width));
  const heat = heatOf(all, width, paint);
  const lines: string[] = [];
  for (let from = 0; from < nodes.length; from += room) {
    const targets = nodes.slice(from, from + room).map(({ id }) => id);
    const head = targets.map((id) => `${String(id).padStart(width - 1)} `).join('');
    lines.push(paint.bold(`DISTANCE${head}`.trimEnd()));
    for (const { id, distances } of nodes) {
      const cells = targets.map((to) => heat(distances.get(to)));
      lines.push(`${String(id).padStart(4)}    ${cells.join('')}`.trimEnd());
    }
    lines.push('');
  }
  return lines;
}

/** A cell: the number and a shade, four of them from the nearest to the farthest there is. */
function heatOf(all: number[], width: number, paint: Paint): (distance: number | undefined) => string {
  const near = Math.min(...all);
  const span = Math.max(...all) - near;
  const colors = [paint.green, paint.yellow, paint.magenta, paint.red];
  return (distance) => {
    if (distance === undefined) return '? '.padStart(width);
    const level = span === 0 ? 0 : Math.ceil(((distance - near) / span) * (SHADES.length - 1));
    const text = `${String(distance).padStart(width - 1)}${SHADES[level] ?? ''}`;
    return (colors[level] ?? String)(text);
  };
}

function describePolicy(here: PolicyHere): string {
  if ('refused' in here) return `policy here: not to be had. ${here.refused}`;
  const meaning = here.policy === 'default' ? ' (from the node where a thread runs)' : '';
  return `policy here: ${here.policy}${meaning}; nodes allowed: ${formatList(here.allowedNodes)}`;
}

export function renderProcess(pid: number, memory: ProcessMemory, { columns, color }: Screen): string {
  const paint = pico.createColors(color);
  const { nodes, total, policies } = memory;
  const cells = (of: (typeof nodes)[number] | typeof total) =>
    [...KINDS, 'total' as const].map((kind) => formatBytes(of[kind]).padStart(10)).join('');
  const head = `NODE${[...KINDS, 'total'].map((kind) => kind.toUpperCase().padStart(10)).join('')}`;
  const rows = nodes.map((node) => {
    const share = formatShare(node.total, total.total).padStart(5);
    return `${String(node.node).padStart(4)}${cells(node)}${share}`;
  });
  const plain = policies.every(({ policy }) => policy === 'default');
  const named = policies.map(({ policy, bytes }) => `${policy} ${formatBytes(bytes)}`).join(', ');
  const where = `process ${pid}: ${formatBytes(total.total)} on ${count(nodes.length, 'node')}`;
  return [
    paint.bold(where),
    '',
    paint.bold(head),
    ...rows,
    paint.bold(` all${cells(total)}`),
    ...(plain ? [] : ['', ...wrap(`policies: ${named}`, columns)]),
    '',
  ].join('\n');
}
