/** Runs the program in children under limits, finds their deaths, and makes a death's sequence as short as it goes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { mallocDebugEnvironment } from '../../lib/malloc_debug.js';

export interface Death {
  readonly sequence: number;
  /** The steps that suffice, in order; the last one is where it died. */
  readonly steps: readonly string[];
  /** Whether the sequence dies in a process of its own too; otherwise what went before matters. */
  readonly alone: boolean;
  readonly how: string;
  readonly words: string;
  readonly debug: Debug;
}

/** glibc's debugging library in the child: none, or with mtrace and hooks that act, or with mcheck. */
export type Debug = 'none' | 'hooks' | 'mcheck';

export interface Plan {
  readonly seed: number;
  readonly calls: number;
  readonly node?: string;
  /** Children at a time. */
  readonly jobs?: number;
  /** Milliseconds without a step, after which it hangs. */
  readonly patience?: number;
  readonly progress?: (calls: number, outcomes: number, deaths: number) => void;
  readonly died?: (death: Death) => void;
  readonly signal?: AbortSignal;
}

export interface Result {
  readonly calls: number;
  readonly outcomes: ReadonlySet<string>;
  readonly deaths: readonly Death[];
}

interface Life {
  calls: number;
  /** The sequence it was at, and how many of its steps had begun. */
  sequence: number;
  begun: number;
  /** It came as far as its first sequence. */
  started: boolean;
  told: string[];
  ended: boolean;
  how: string;
  words: string;
}

const PROGRAM = fileURLToPath(new URL('program.ts', import.meta.url));
const TSX = import.meta.resolve('tsx');
/** Sequences of one child; a fresh process now and then, since some calls leave traces for good (mseal, mallopt). */
const SHIFT = 800;
/** Of wall-clock time: a child that must yield to others may have to wait for a minute where they are many. */
const PATIENCE = 300_000;

/**
 * What would exhaust the machine fails instead; a process without capabilities can't poison real memory or reach into
 * other users' processes. V8 reserves some 12 GiB of address space by itself. The 4 GiB are for writable memory of its own (Node 24
 * counts 512 MiB for the code of each thread, and ends where a worker finds no room for it).
 */
const LIMITS = [
  'prlimit',
  `--as=${2 ** 40}`,
  `--data=${2 ** 32}`,
  `--memlock=${2 ** 22}`,
  '--nofile=256',
  '--core=0',
  `--fsize=${2 ** 28}`,
];
const POWERLESS = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
const under = process.getuid?.() === 0 ? [...LIMITS, ...POWERLESS] : LIMITS;

function environment(debug: Debug): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...env } = process.env;
  if (debug === 'none') return env;
  return mallocDebugEnvironment(debug === 'mcheck' ? { mcheck: true, env } : { env });
}

interface Shift {
  readonly seed: number;
  readonly first: number;
  readonly last: number;
  readonly debug: Debug;
  readonly node: string;
  readonly patience: number;
  readonly steps?: readonly number[];
  readonly tell?: boolean;
  /** What is to end it, for the test of this. */
  readonly plant?: string | undefined;
}

function launch(shift: Shift, directory: string): ChildProcess {
  const { seed, first, last, debug, node, steps, tell } = shift;
  const words = [seed, first, last, ...(steps ? [steps.join(',')] : [])].map(String);
  const [command = '', ...args] = [
    ...under,
    node,
    '--expose-gc',
    '--no-warnings',
    '--import',
    TSX,
    PROGRAM,
    ...words,
  ];
  return spawn(command, args, {
    cwd: directory,
    env: { ...environment(debug), MEMPROBE_FUZZ_TELL: tell ? '1' : '', MEMPROBE_FUZZ_PLANT: shift.plant },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
}

/** Lives it through; a hang is ended by SIGKILL. */
async function live(shift: Shift, hear: (outcome: string) => void, signal?: AbortSignal): Promise<Life> {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-fuzz-'));
  const child = launch(shift, directory);
  const life: Life = {
    calls: 0,
    sequence: shift.first,
    begun: 0,
    started: false,
    told: [],
    ended: false,
    how: '',
    words: '',
  };
  const stop = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop);
  const watch = setTimeout(() => ((life.how = 'hung'), stop()), shift.patience);
  child.stderr?.on('data', (chunk) => (life.words = (life.words + String(chunk)).slice(-4000)));
  const pipe = child.stdio[3];
  if (!(pipe instanceof Readable)) throw new Error('the child has no pipe');
  const closed = new Promise<void>((done) => child.once('close', () => done()));
  for await (const line of createInterface({ input: pipe })) {
    watch.refresh();
    take(life, line, hear);
  }
  await closed;
  clearTimeout(watch);
  signal?.removeEventListener('abort', stop);
  life.how ||= child.signalCode ?? `exit code ${child.exitCode}`;
  rmSync(directory, { recursive: true });
  if (!life.started && signal?.aborted !== true)
    throw new Error(`the child did not begin: ${life.how} ${life.words}`);
  return life;
}

function take(life: Life, line: string, hear: (outcome: string) => void): void {
  const text = line.slice(2);
  switch (line[0]) {
    case '.':
      return void life.begun++;
    case 't':
      return void life.told.push(text);
    case 'o':
      return hear(text);
    case 'c':
      return void (life.calls += Number(text));
    case 's':
      return void Object.assign(life, { sequence: Number(text), begun: 0, told: [], started: true });
    default:
      life.ended = line === 'end';
  }
}

/** The steps that can't be left out, found by leaving each out in turn. */
async function minimise(shift: Shift, life: Life): Promise<Death> {
  const alone = { ...shift, first: life.sequence, last: life.sequence + 1, tell: true };
  const again = (steps?: readonly number[]): Promise<Life> =>
    live({ ...alone, ...(steps && { steps }) }, () => {});
  let last = await again();
  const reproduces = !last.ended;
  let steps = [...last.told.keys()];
  for (const step of reproduces ? [...steps].reverse() : []) {
    const fewer = steps.filter((each) => each !== step);
    const shorter = await again(fewer);
    if (!shorter.ended) [steps, last] = [fewer, shorter];
  }
  const told = reproduces ? last.told : last.told.slice(0, Math.max(1, life.begun));
  const { how, words } = reproduces ? last : life;
  return { sequence: life.sequence, steps: told, alone: reproduces, how, words, debug: shift.debug };
}

/** One child in eight has glibc's debugging library. */
const debugOf = (shift: number): Debug => (shift % 8 === 3 ? 'hooks' : shift % 16 === 7 ? 'mcheck' : 'none');

export async function campaign(plan: Plan): Promise<Result> {
  const { seed, calls, node = process.execPath, patience = PATIENCE, jobs = 1, signal } = plan;
  const outcomes = new Set<string>();
  const deaths: Death[] = [];
  const size = Math.min(SHIFT, Math.ceil(calls / 16));
  let made = 0;
  let shifts = 0;
  const over = (): boolean => made >= calls || (signal?.aborted ?? false);

  async function run(shift: Shift): Promise<void> {
    const life = await live(shift, (outcome) => outcomes.add(outcome), signal);
    made += life.calls;
    if (!life.ended && signal?.aborted !== true) {
      const death = await minimise(shift, life);
      deaths.push(death);
      plan.died?.(death);
      if (life.sequence + 1 < shift.last) await run({ ...shift, first: life.sequence + 1 });
    }
    plan.progress?.(made, outcomes.size, deaths.length);
  }
  async function work(): Promise<void> {
    while (!over()) {
      const number = shifts++;
      await run({
        seed,
        first: number * size,
        last: (number + 1) * size,
        debug: debugOf(number),
        node,
        patience,
      });
    }
  }
  await Promise.all(Array.from({ length: jobs }, work));
  return { calls: made, outcomes, deaths };
}

export interface ReplayOptions {
  readonly node?: string;
  readonly debug?: Debug;
  readonly plant?: string;
}

/** One sequence once more. */
export async function replay(
  seed: number,
  sequence: number,
  { node = process.execPath, debug = 'none', plant }: ReplayOptions = {},
): Promise<Death | undefined> {
  const shift = { seed, first: sequence, last: sequence + 1, debug, node, plant, patience: PATIENCE };
  const life = await live(shift, () => {});
  return life.ended ? undefined : minimise(shift, life);
}
