/** A diagnosis for people: problems first, each with what it costs and how to get it. */
import pico from 'picocolors';
import { count, wrap } from '../format.js';
import type { Check, Diagnosis, Health } from './index.js';

export interface DoctorLook {
  readonly columns: number;
  readonly color: boolean;
  /** Every check on lines of its own. */
  readonly verbose?: boolean;
}

const SCREEN = 23;
const WORST_FIRST: readonly Health[] = ['missing', 'refused', 'notice', 'ok'];
const LABEL = 9;

/** Checks with the same story, told once: five calls that one seccomp filter refuses. */
interface Group {
  readonly health: Health;
  readonly titles: string[];
  readonly check: Check;
}

export function renderDoctor(diagnosis: Diagnosis, { columns, color, verbose = false }: DoctorLook): string {
  const { checks } = diagnosis;
  const paint = pico.createColors(color);
  const paints = { missing: paint.red, refused: paint.red, notice: paint.yellow, ok: paint.green };
  const blocks = verbose
    ? checks.map(one)
    : [...grouped(checks.filter(({ health }) => health !== 'ok')), ...summary(checks)];
  const told = blocks.map(({ health, lines }) => {
    const [first = '', ...rest] = lines.flatMap((line) => wrap(line, columns, ' '.repeat(LABEL)));
    return [paints[health](health.padEnd(LABEL)) + first.slice(LABEL), ...rest];
  });
  const body = verbose ? told.flat() : fit(told);
  return `${[...wrap(verdict(diagnosis), columns), '', ...body].join('\n')}\n`;
}

interface Block {
  readonly health: Health;
  readonly lines: readonly string[];
}

function verdict({ checks, ok }: Diagnosis): string {
  const counts = WORST_FIRST.map((health) => checks.filter((check) => check.health === health).length);
  const [missing = 0, refused = 0, notices = 0, good = 0] = counts;
  const notice = notices === 0 ? '' : `, ${count(notices, 'notice')}`;
  if (ok) return `memprobe has what it needs here: ${count(good, 'check')} fine${notice}.`;
  return `${missing} missing, ${refused} refused${notice}; ${good} of ${count(checks.length, 'check')} fine.`;
}

function one({ health, title, found, costs, remedy }: Check): Block {
  return { health, lines: [`${title}: ${found}`, ...advice(costs, remedy)] };
}

function advice(costs: string | undefined, remedy: string | undefined): string[] {
  return [
    ...(costs === undefined ? [] : [`costs: ${costs}`]),
    ...(remedy === undefined ? [] : [`get it: ${remedy}`]),
  ];
}

function grouped(checks: readonly Check[]): Block[] {
  const groups = new Map<string, Group>();
  for (const check of checks) {
    const story = [check.health, check.found, check.costs, check.remedy].join('\n');
    const group = groups.get(story) ?? { health: check.health, titles: [], check };
    group.titles.push(check.title);
    groups.set(story, group);
  }
  return [...groups.values()]
    .sort((a, b) => WORST_FIRST.indexOf(a.health) - WORST_FIRST.indexOf(b.health))
    .map(({ titles, check }) => one({ ...check, title: titles.join(', ') }));
}

/** What is fine: figures that tell something, and how many calls work. */
function summary(checks: readonly Check[]): Block[] {
  const good = checks.filter(({ health }) => health === 'ok');
  const calls = good.filter(({ id }) => id.startsWith('call.'));
  const others = good.filter((check) => !calls.includes(check));
  const lines = others.map(({ title, found }) => `${title}: ${found}`);
  if (calls.length > 0) lines.push(`system calls that can be missing or refused: ${calls.length} work`);
  return lines.length === 0 ? [] : [{ health: 'ok', lines: [lines.join('; ')] }];
}

/** As many whole blocks as a screen holds; at least the first. */
function fit(blocks: readonly string[][]): string[] {
  const lines: string[] = [];
  for (const [i, block] of blocks.entries()) {
    const more = i + 1 < blocks.length ? 1 : 0;
    if (i > 0 && lines.length + block.length + more > SCREEN - 3) {
      return [...lines, `${count(blocks.length - i, 'item')} more: --verbose`];
    }
    lines.push(...block);
  }
  return lines;
}
