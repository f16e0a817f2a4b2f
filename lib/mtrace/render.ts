/** A leak report as text: the answer, the call sites that hold most, what to be careful about. Pure. */
import { basename } from 'node:path';
import pico from 'picocolors';
import { bar, count, formatBytes, formatShare, shorten, wrap } from '../format.js';
import { isBuffers, isNode, type LeakReport, type LeakSite } from './leaks.js';
import { parseSite } from './place.js';
import type { Oddity } from './trace.js';

export interface LeakRenderOptions {
  /** Width of the screen in characters. */
  columns?: number;
  color?: boolean;
  /** Every site with its place in full, and the frees of unknown addresses one by one. */
  verbose?: boolean;
  /** The most sites to show. Default: as many as a screen has room for; with `verbose` all. */
  top?: number;
}

/** The answer fits one screen of the classic size; who wants more asks for it. */
const SCREEN_LINES = 24;
const NUMBERS = 28;

interface Style {
  columns: number;
  verbose: boolean;
  paint: ReturnType<typeof pico.createColors>;
}

/** Text that ends in a newline, at most 24 lines of at most `columns` characters unless `verbose` or `top` ask for more. */
export function renderLeaks(report: LeakReport, options: LeakRenderOptions = {}): string {
  const { columns = 80, color = false, verbose = false, top } = options;
  const style = { columns: Math.max(columns, 50), verbose, paint: pico.createColors(color) };
  const head = headline(report, style);
  const foot = cautions(report, style);
  const room = verbose ? Infinity : SCREEN_LINES - head.length - foot.length - 3;
  return [...head, ...table(report, top ?? room, style), ...foot, ''].join('\n');
}

function headline({ leaked, sites, lines, partial }: LeakReport, { columns, paint }: Style): string[] {
  const read = paint.dim(`mtrace log, ${count(lines, 'line')}${partial ? ', not whole' : ''}`);
  const answer =
    leaked.blocks === 0
      ? `Everything was freed${partial ? ', as far as the log goes' : ''}.`
      : `${count(leaked.blocks, 'block')} with ${formatBytes(leaked.bytes)} ` +
        `${leaked.blocks === 1 ? 'was' : 'were'} not freed, from ${count(sites.length, 'call site')}.`;
  return [read, ...wrap(answer, columns).map((line) => paint.bold(line))];
}

function table({ sites, leaked }: LeakReport, room: number, style: Style): string[] {
  if (sites.length === 0) return [];
  const shown = sites.slice(0, room);
  const widest = Math.max(1, sites[0]?.bytes ?? 0);
  const rows = shown.flatMap((site) => [row(site, leaked.bytes, widest, style), ...details(site, style)]);
  const rest = sites.slice(shown.length);
  if (rest.length > 0) rows.push(others(rest, leaked.bytes));
  return ['', ...rows];
}

function row(site: LeakSite, whole: number, widest: number, { columns, paint }: Style): string {
  const width = Math.min(16, Math.max(6, columns - 70));
  const name = Math.max(12, columns - NUMBERS - width - 2);
  const filled =
    paint.cyan(bar(site.bytes / widest, width)) + ' '.repeat(width - bar(site.bytes / widest, width).length);
  return `${numbers(site, whole)}  ${filled}  ${fitting(site, name)}`;
}

function others(sites: LeakSite[], whole: number): string {
  return `${numbers(total(sites), whole)}  ${count(sites.length, 'more call site')} (--verbose, --top)`;
}

interface Amount {
  readonly bytes: number;
  readonly blocks: number;
}

function total(amounts: readonly Amount[]): Amount {
  const sum = (pick: (amount: Amount) => number) => amounts.reduce((all, amount) => all + pick(amount), 0);
  return { bytes: sum(({ bytes }) => bytes), blocks: sum(({ blocks }) => blocks) };
}

function numbers({ bytes, blocks }: Amount, whole: number): string {
  const size = `${formatBytes(bytes).padStart(9)} ${formatShare(bytes, whole).padStart(4)}`;
  return `${size} ${count(blocks, 'block').padStart(NUMBERS - 16)}`;
}

/** What tells least goes first: the parameters, then where it is. */
function fitting(site: LeakSite, width: number): string {
  if (isBuffers(site)) return shorten('Buffers (NodeArrayBufferAllocator)', width);
  const { symbol = '' } = site;
  const short = withoutParameters(symbol);
  const names = [nameOf(site), ...(short === '' ? [] : [nameOf({ ...site, symbol: short }), short])];
  return names.find((name) => name.length <= width) ?? shorten(names.at(-1) ?? '', width);
}

/** `f(int (*)(char)) const` is `f`. */
function withoutParameters(symbol: string): string {
  return symbol.replace(/(?<=.)(?<!operator)\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)(?: const)?$/, '');
}

/** The most telling words for a place first. */
function nameOf({ site, symbol, source }: LeakSite): string {
  const place = parseSite(site);
  const object = place?.object === undefined ? '' : ` (${basename(place.object)})`;
  if (symbol !== undefined && source !== undefined) return `${symbol} ${basename(source)}`;
  if (source !== undefined) return basename(source);
  if (symbol !== undefined) return `${symbol}${object}`;
  return place?.object === undefined ? site : `${basename(place.object)}+0x${place.address.toString(16)}`;
}

function details({ site, source, first, last }: LeakSite, { verbose, columns, paint }: Style): string[] {
  if (!verbose) return [];
  const seen = first === last ? `allocated at line ${first}` : `allocated at lines ${first} to ${last}`;
  const places = [...(source === undefined ? [] : [source]), site, `${seen} of the log, which has no clock`];
  return places.flatMap((text) => wrap(text, columns, ' '.repeat(NUMBERS + 2))).map(paint.dim);
}

/** Cautions never push the answer off the screen: those that don't fit are left out whole, and --verbose has them. */
const CAUTION_LINES = 10;

function cautions(report: LeakReport, style: Style): string[] {
  const { columns, verbose, paint } = style;
  const texts = [
    ...report.reasons,
    ...baseline(report),
    ...nameless(report),
    ...report.notes,
    ...strange(report, verbose),
  ];
  const shown = verbose ? texts : texts.filter(within(CAUTION_LINES - 1, columns));
  const hidden = texts.length - shown.length;
  const all = hidden > 0 ? [...shown, `${count(hidden, 'more note')} (--verbose)`] : shown;
  const lines = all.flatMap((text) => wrap(text, columns, '  ! ')).map(paint.yellow);
  const list = verbose ? report.oddities.map((oddity) => shorten(tellOddity(oddity), columns)) : [];
  return [...(lines.length > 0 ? [''] : []), ...lines, ...list];
}

function within(most: number, columns: number): (text: string) => boolean {
  let room = most;
  return (text) => {
    const { length } = wrap(text, columns, '  ! ');
    if (length > room) return false;
    room -= length;
    return true;
  };
}

/** Node frees little at its exit: without that said, every program seems to leak. */
function* baseline({ objects, sites }: LeakReport): Generator<string> {
  const own = total(objects.filter(isNode));
  const held = total(sites.filter(isBuffers));
  if (held.blocks > 0)
    yield `${formatBytes(held.bytes)} Buffers (NodeArrayBufferAllocator): what JavaScript still held, ${count(held.blocks, 'block')}`;
  const rest = { blocks: own.blocks - held.blocks, bytes: own.bytes - held.bytes };
  if (rest.blocks > 0)
    yield (
      `${count(rest.blocks, 'block')} with ${formatBytes(rest.bytes)} ${rest.blocks === 1 ? 'is' : 'are'} of Node's own code, which leaves ` +
      `thousands behind at every exit (see: memprobe leaks -- node -e 0)${ofOthers(objects)}`
    );
}

function ofOthers(objects: LeakReport['objects']): string {
  const others = objects
    .filter((object) => !isNode(object))
    .slice(0, 3)
    .map(
      ({ object, blocks, bytes }) =>
        `${nameOfObject(object)} ${count(blocks, 'block')}, ${formatBytes(bytes)}`,
    );
  return others.length > 0 ? `; of others: ${others.join('; ')}` : '';
}

/** mtrace knows one caller: of C++ it is the standard library. */
function* nameless({ sites, leaked }: LeakReport): Generator<string> {
  const isNew = ({ site, symbol = '' }: LeakSite) =>
    /^operator new\b/.test(symbol) || /\(_Zn[wa][mj]/.test(site);
  if (total(sites.slice(0, 3).filter(isNew)).bytes * 10 < Math.max(leaked.bytes, 1)) return;
  yield 'mtrace logs one caller, which in C++ is operator new: valgrind --leak-check=full or heaptrack tells who called that';
}

function nameOfObject(object: string): string {
  return object === '' ? 'unknown callers' : basename(object);
}

function* strange(report: LeakReport, verbose: boolean): Generator<string> {
  const { unknownFrees, duplicates, failed } = report;
  if (unknownFrees > 0 && areOfStart(report)) {
    if (verbose)
      yield `${count(unknownFrees, 'free')} of blocks from before the trace began, by the C library, as usual`;
  } else if (unknownFrees > 0) {
    yield (
      `${count(unknownFrees, 'free')} of addresses that the log does not know: allocated before the trace began, ` +
      'or freed twice (--verbose lists them)'
    );
  }
  if (duplicates > 0) {
    yield (
      `${count(duplicates, 'allocation')} at addresses in use: threads overtook each other on the way to the log, so ` +
      'that many blocks may be wrong'
    );
  }
  if (failed > 0) yield `${count(failed, 'allocation')} failed`;
}

/** Whether all unknown frees are the C library's own: at its end it frees what it had before any trace can begin. */
function areOfStart({ oddities, unknownFrees }: LeakReport): boolean {
  const frees = oddities.filter(({ kind }) => kind === 'unknown-free');
  const isOurs = ({ site }: Oddity) => /^(?:libc|ld)[-.]/.test(basename(parseSite(site)?.object ?? ''));
  return frees.length === unknownFrees && frees.every(isOurs);
}

/** In the words of glibc's mtrace script. */
export function tellOddity({ kind, call, address, line, site }: Oddity): string {
  const where = `0x${address.toString(16).padStart(16, '0')}`;
  if (kind === 'unknown-free') {
    return `- ${where} ${call === 'free' ? 'Free' : 'Realloc'} ${line} was never alloc'd ${site}`.trimEnd();
  }
  return `+ ${where} ${call === 'malloc' ? 'Alloc' : 'Realloc'} ${line} duplicate: ${site}`.trimEnd();
}
