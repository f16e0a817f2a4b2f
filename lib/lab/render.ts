/** A lab's report as a lesson. Pure. */
import pico from 'picocolors';
import { count, shorten, wrap } from '../format.js';
import type { Change, LabReport, LabSection, LabStep, MapLine, Table, Telling } from './report.js';

export interface RenderOptions {
  /** Width of the screen in characters. */
  columns?: number;
  color?: boolean;
}

interface Style {
  columns: number;
  tells: Telling[];
  paint: ReturnType<typeof pico.createColors>;
}

const INDENT = '    ';
/** Of a line of the memory map, up to its name. */
const FIGURES = 61;

/** Text that ends in a newline. */
export function renderReport(report: LabReport, { columns = 80, color = false }: RenderOptions = {}): string {
  const style = { columns: Math.max(columns, 60), tells: report.tells, paint: pico.createColors(color) };
  const title = style.paint.bold(`${report.lab}: ${report.summary}`);
  const how = `In process ${report.pid}, looked at from outside before and after each step; a page has ${report.pageSize} bytes.`;
  const lines = [
    title,
    ...wrap(how, style.columns).map(style.paint.dim),
    ...drift(report, style),
    ...report.sections.flatMap((section, i) => sectionLines(section, i + 1, style)),
  ];
  return [...lines, ''].join('\n');
}

function drift({ drift: pages }: LabReport, { columns, paint }: Style): string[] {
  if (pages === 0) return [];
  const text = `Left alone, its resident memory still changed by ${count(Math.abs(pages), 'page')} a look: so exact are the figures.`;
  return wrap(text, columns).map(paint.yellow);
}

function sectionLines(section: LabSection, number: number, style: Style): string[] {
  const { columns, paint } = style;
  const legend = section.steps.some(({ change }) => change && visible(change).length > 0);
  return [
    '',
    paint.bold(`${number}. ${section.title}`),
    ...(legend ? [paint.dim(LEGEND)] : []),
    ...section.steps.flatMap((step) => stepLines(step, style)),
    '',
    ...(section.skipped ? wrap(`Not here: ${section.skipped}`, columns, '  ! ').map(paint.yellow) : []),
    ...wrap(section.shows, columns, '=> ').map(paint.green),
  ];
}

const LEGEND = `    ${'mapping'.padEnd(25)} ${'perms'.padEnd(5)}${'pages'.padStart(8)}${'resident'.padStart(16)}`;

function stepLines(step: LabStep, style: Style): string[] {
  const { columns, paint } = style;
  return [
    '',
    ...wrap(step.code, columns, '> ').map(paint.bold),
    ...(step.change ? changeLines(step.change, style) : []),
    ...(step.error ? wrap(step.error.message, columns, INDENT).map(paint.red) : []),
    ...step.notes.flatMap((note) => wrap(note, columns, '  ')),
    ...(step.table ? tableLines(step.table) : []),
  ];
}

function changeLines(change: Change, { columns, tells, paint }: Style): string[] {
  const mapped = visible(change).map((line) => paintSign(mapLine(line, columns), line, paint));
  const sums = figures(change, tells);
  const text = sums === '' ? 'maps and statm: as before' : `statm: ${sums}`;
  return [...mapped, ...wrap(text, columns, INDENT).map(paint.cyan)];
}

/** Every mapping that came or went, and of the others what the lab is about. */
function visible({ maps }: Change): MapLine[] {
  return maps.filter(({ sign, label, path }) => sign !== '~' || label !== undefined || path === '[heap]');
}

function mapLine(line: MapLine, columns: number): string {
  const { sign, start, end, perms, pages } = line;
  const resident = moved(line.was?.resident, line.resident);
  const head = `  ${sign} ${`${start}-${end}`.padEnd(25)} ${perms} ${number(pages).padStart(8)}${resident.padStart(16)}`;
  return `${head}  ${shorten(nameOf(line), columns - FIGURES)}`.trimEnd();
}

function moved(from: number | undefined, to: number): string {
  return from === undefined || from === to ? number(to) : `${number(from)} -> ${number(to)}`;
}

function nameOf({ label, path, was, anonymous }: MapLine): string {
  const name = label ?? (path === '' ? 'anonymous' : path.replace(/ \(deleted\)$/, ''));
  const copied = path.startsWith('/') && was !== undefined && was.anonymous !== anonymous;
  return copied ? `${name}, own ${was.anonymous}->${anonymous}` : name;
}

function paintSign(text: string, { sign }: MapLine, paint: Style['paint']): string {
  if (sign === '~') return paint.yellow(text);
  return sign === '+' ? paint.green(text) : paint.red(text);
}

function figures({ statm, locked, huge, faults }: Change, tells: Telling[]): string {
  const { size, resident, shared, data } = statm;
  const named: [string, number][] = [
    ['size', size],
    ['resident', resident],
    ['shared', shared],
    ['data', data],
  ];
  if (tells.includes('huge')) named.push(['in huge pages', huge]);
  if (tells.includes('locked')) named.push(['VmLck', locked]);
  const pages = named.filter(([, value]) => value !== 0).map(([name, value]) => `${name} ${signed(value)}`);
  const parts = pages.length > 0 ? [`${pages.join(', ')} (pages)`] : [];
  if (tells.includes('faults') && faults.minor > 0) parts.push(count(faults.minor, 'minor fault'));
  if (tells.includes('faults') && faults.major > 0) parts.push(count(faults.major, 'major fault'));
  return parts.join('; ');
}

function tableLines({ head, rows }: Table): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all.map((row) => {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
    );
    return `${INDENT}${cells.join('  ')}`.trimEnd();
  });
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function signed(value: number): string {
  return value > 0 ? `+${number(value)}` : number(value);
}
