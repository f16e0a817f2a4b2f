/** An explanation as text: the answer first, then the ranked table, then what to do. Pure. */
import pico from 'picocolors';
import { bar, formatBytes, formatShare, shorten, wrap } from '../format.js';
import type { Category, Explanation, Remedy } from './schema.js';

export interface RenderOptions {
  /** Width of the screen in characters. */
  columns?: number;
  color?: boolean;
  /** Every category with its parts and its source, every remedy. */
  verbose?: boolean;
  /** The most parts to show for a category with `verbose`. */
  top?: number;
}

/** The answer fits one screen of the classic size; who wants more asks for it. */
const SCREEN_LINES = 24;
const FEWEST_ROWS = 6;
const LABEL = 32;

interface Style {
  columns: number;
  verbose: boolean;
  top: number;
  paint: ReturnType<typeof pico.createColors>;
}

/** Text that ends in a newline, at most 24 lines of at most `columns` characters unless `verbose`. */
export function render(explanation: Explanation, options: RenderOptions = {}): string {
  const { columns = 80, color = false, verbose = false, top = 8 } = options;
  const style = { columns: Math.max(columns, 40), verbose, top, paint: pico.createColors(color) };
  const head = [...headline(explanation, style), '', ...(explanation.trim ? ['before the trim:'] : [])];
  const roomBeside = (foot: string[]) => SCREEN_LINES - head.length - foot.length - 1;
  const two = footer(explanation, style, 2);
  const foot = verbose || roomBeside(two) >= FEWEST_ROWS ? two : footer(explanation, style, 1);
  const room = verbose ? Infinity : Math.max(FEWEST_ROWS, roomBeside(foot));
  return [...head, ...table(explanation, room, style), ...foot, ''].join('\n');
}

function headline({ pid, name, way, verdict, trim }: Explanation, style: Style): string[] {
  const { paint, columns } = style;
  const ways = { inside: 'from inside', attached: 'attached', outside: 'from outside, not attached' };
  const answer = wrap(verdict.summary, columns).map((line) => paint.bold(line));
  const evidence = style.verbose ? verdict.evidence : verdict.evidence.slice(0, 2);
  const title = paint.dim(shorten(`${name}, process ${pid}, ${ways[way]}`, columns));
  const lines = [title, ...answer, ...evidence.flatMap((text) => wrap(text, columns, '  - '))];
  if (trim) lines.push(...wrap(trimmed(trim), columns).map(paint.green));
  return lines;
}

/** The call itself, made from inside, takes memory too: where there was little to give back, more than that. */
function trimmed({ before, after, milliseconds }: NonNullable<Explanation['trim']>): string {
  const time = `in ${milliseconds.toFixed(1)} ms`;
  const way = `${formatBytes(before)} to ${formatBytes(after)}`;
  if (after < before)
    return `malloc_trim gave back ${formatBytes(before - after)} ${time}: resident memory went from ${way}.`;
  const growth = after > before ? `, and making the call took resident memory from ${way}` : '';
  return `malloc_trim found nothing to give back (${time})${growth}.`;
}

function table(explanation: Explanation, room: number, style: Style): string[] {
  const { rss, swap, categories } = explanation;
  const shown = select(categories, room);
  const widest = Math.max(1, ...shown.map(({ bytes }) => bytes));
  const rows = shown.flatMap((category) => [row(category, rss, widest, style), ...details(category, style)]);
  const swapped = swap > 0 ? `, and ${formatBytes(swap)} in swap` : '';
  return [...rows, `${''.padEnd(LABEL)} ${formatBytes(rss).padStart(9)} resident${swapped}`];
}

/** What is there, biggest first; what finds no room is summed up in one row, but never what could not be told. */
function select(categories: Category[], room: number): Category[] {
  const present = categories.filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes);
  if (present.length <= room) return present;
  const untold = present.findIndex(({ id }, i) => id === 'unexplained' && i >= room - 2);
  const kept =
    untold < 0
      ? present.slice(0, room - 1)
      : [...present.slice(0, room - 2), ...present.slice(untold, untold + 1)];
  const rest = present.filter((category) => !kept.includes(category));
  const bytes = rest.reduce((sum, category) => sum + category.bytes, 0);
  const others: Category = {
    id: 'unexplained',
    label: `${rest.length} smaller (--verbose)`,
    bytes,
    source: '',
  };
  return [...kept, others];
}

function row({ label, bytes }: Category, rss: number, widest: number, { columns, paint }: Style): string {
  const width = Math.max(4, columns - LABEL - 18);
  const numbers = `${formatBytes(bytes).padStart(9)} ${formatShare(bytes, rss).padStart(4)}`;
  return `${label.padEnd(LABEL)} ${numbers}  ${paint.cyan(bar(bytes / widest, Math.min(width, 40)))}`.trimEnd();
}

function details(category: Category, { verbose, top, columns, paint }: Style): string[] {
  if (!verbose) return [];
  const parts = (category.parts ?? []).slice(0, top).map(({ label, bytes }) => {
    return `${formatBytes(bytes).padStart(LABEL + 10)}  ${shorten(label, Math.max(20, columns - LABEL - 12))}`;
  });
  const hidden = (category.parts?.length ?? 0) - parts.length;
  if (hidden > 0) parts.push(`${`${hidden} more`.padStart(LABEL + 10)}  (--top)`);
  const source = category.source ? wrap(`from ${category.source}`, columns, '    ').map(paint.dim) : [];
  return [...source, ...parts];
}

function footer({ remedies, notes }: Explanation, style: Style, most: number): string[] {
  const { verbose, columns, paint } = style;
  const shown = verbose ? remedies : remedies.slice(0, most);
  const hidden = remedies.length - shown.length;
  const lines = shown.flatMap((remedy) => advice(remedy, style));
  const extra = notes.flatMap((note) => wrap(note, columns, '  ! ')).map(paint.yellow);
  if (hidden > 0) lines.push(`  ${hidden} more with --verbose`);
  if (shown.length > 0) lines.unshift('', paint.bold('What helps'));
  // A note never pushes the answer off the screen: it is cut, and --verbose has it in full.
  if (verbose) return [...lines, ...(extra.length > 0 ? ['', ...extra] : [])];
  return [
    ...lines,
    ...extra.slice(0, 2),
    ...(extra.length > 2 ? [paint.yellow('    ... (--verbose has the rest)')] : []),
  ];
}

function advice({ text, command }: Remedy, { columns, paint }: Style): string[] {
  const lines = wrap(text, columns, '  - ');
  if (command) lines.push(`    ${paint.dim('$')} ${paint.green(command)}`);
  return lines;
}
