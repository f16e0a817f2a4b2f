/** What changed between two explanations. Pure. */
import pico from 'picocolors';
import { bar, formatBytes } from '../format.js';
import type { RenderOptions } from './render.js';
import { CATEGORIES, type CategoryId, type Explanation, SCHEMA_VERSION } from './schema.js';

export interface Change {
  id: CategoryId;
  label: string;
  before: number;
  after: number;
}

/** Every category that is in one of the two, the biggest change first. */
export function diff(before: Explanation, after: Explanation): Change[] {
  const find = ({ categories }: Explanation, id: CategoryId) =>
    categories.find((one) => one.id === id)?.bytes ?? 0;
  return CATEGORIES.map(([id, label]) => ({ id, label, before: find(before, id), after: find(after, id) }))
    .filter((change) => change.before !== change.after)
    .sort((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before));
}

export function renderDiff(before: Explanation, after: Explanation, options: RenderOptions = {}): string {
  const paint = pico.createColors(options.color ?? false);
  const changes = diff(before, after);
  const widest = Math.max(1, ...changes.map((change) => Math.abs(change.after - change.before)));
  const width = Math.min(40, Math.max(4, (options.columns ?? 80) - 64));
  const rows = changes.map(({ label, before, after }) => {
    const delta = after - before;
    const drawn = bar(Math.abs(delta) / widest, width);
    const numbers = `${formatBytes(before).padStart(9)} ${formatBytes(after).padStart(9)} ${signed(delta).padStart(10)}`;
    return `${label.padEnd(32)} ${numbers}  ${delta > 0 ? paint.red(drawn) : paint.green(drawn)}`.trimEnd();
  });
  return [paint.bold(headline(before, after, changes)), '', ...rows, ''].join('\n');
}

function headline(before: Explanation, after: Explanation, [most]: Change[]): string {
  const delta = after.rss - before.rss;
  const way = `${formatBytes(before.rss)} to ${formatBytes(after.rss)}`;
  const biggest =
    most && most.after !== most.before
      ? `; most of the change: ${most.label} ${signed(most.after - most.before)}`
      : '';
  const other = before.pid === after.pid ? '' : ` (two processes: ${before.pid} and ${after.pid})`;
  const ways =
    before.way === after.way
      ? ''
      : ` Beware: one was taken ${before.way}, the other ${after.way}; from outside, Buffers count as malloc.`;
  return `Resident memory went from ${way} (${signed(delta)})${biggest}${other}.${ways}`;
}

function signed(bytes: number): string {
  return bytes > 0 ? `+${formatBytes(bytes)}` : formatBytes(bytes);
}

/** Says why `value` is not an explanation of this version, or undefined when it is one. */
export function whyNotExplanation(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return 'it holds no object';
  const { version, rss, categories } = value as Partial<Record<keyof Explanation, unknown>>;
  if (version !== SCHEMA_VERSION) return `its version is ${JSON.stringify(version)}, not ${SCHEMA_VERSION}`;
  if (typeof rss !== 'number' || !Array.isArray(categories)) return 'rss or categories are missing';
  return undefined;
}
