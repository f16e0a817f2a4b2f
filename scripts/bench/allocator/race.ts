/** Processes that replay the same stream by turns, and what they took. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Workload } from '../../../lib/compare/stream.js';

/** Pairs that one turn replays at least: less, and a turn is over before the processor's caches are one's own. */
const PAIRS = 1_500_000;
/** Turns before the measured ones, for V8's compiler. */
const WARM_UP = 2;
/** Milliseconds: a peer whose first replay takes longer, or whose turns would, is left out of the workload. */
const PATIENCE = 10_000;
const REPLAY = fileURLToPath(new URL('replay.mjs', import.meta.url));

export interface Result {
  contender: string;
  /** CPU time of a malloc and its free, of a realloc; null where it was given up. `net`: without the empty loop's. */
  ns: number | null;
  net: number | null;
  /** The medians of what each turn took over glibc's turn before it. */
  ratio: number | null;
  netRatio: number | null;
  peakOverLive: number | null;
}

/** A process that replays: it says that it is ready, its peak, and then answers each line with one. */
export class Contender {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(
    readonly name: string,
    command: string,
    args: string[],
  ) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static inJs(name: string, stream: string): Contender {
    return new Contender(name, process.execPath, [REPLAY, stream, name]);
  }

  async read(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`${this.name} ended early`);
    return value;
  }

  /** The highest byte used in the first replay; undefined, and the process ended, where `repeat` of them take too long. */
  async peak(repeat = 1): Promise<number | undefined> {
    await this.read();
    const start = performance.now();
    const timer = setTimeout(() => this.#child.kill(), PATIENCE);
    try {
      const peak = Number(await this.read());
      if ((performance.now() - start) * repeat < 3 * PATIENCE) return peak;
      this.#child.kill();
      return undefined;
    } catch (error) {
      if (this.#child.killed) return undefined;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  ask(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`);
    return this.read();
  }

  end(): void {
    this.#child.stdin.end();
  }
}

export const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
export const geomean = (values: number[]): number =>
  Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);

/** Replays in a turn. */
const turn = ({ pairs }: Workload): number => Math.max(1, Math.round(PAIRS / pairs));

/** Each contender's turns, nanoseconds a pair. */
async function race(
  contenders: Contender[],
  workload: Workload,
  rounds: number,
): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  const repeat = turn(workload);
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const contender of contenders) {
      const ns = Number(await contender.ask(String(repeat))) / repeat / workload.pairs;
      if (round >= 0) times.get(contender.name)?.push(ns);
    }
  }
  return times;
}

/** The first two of the contenders are glibc and the empty loop in C; "nothing" is the empty loop in JavaScript. */
export async function measure(
  program: string,
  names: string[],
  directory: string,
  workload: Workload,
  rounds: number,
): Promise<Result[]> {
  const stream = join(directory, 'stream');
  writeFileSync(stream, workload.ops);
  const all = [
    new Contender('glibc', program, [stream]),
    new Contender('nothing in C', program, [stream, 'nothing']),
    ...names.map((name) => Contender.inJs(name, stream)),
  ];
  try {
    const peaks = new Map<string, number | undefined>();
    const turns = turn(workload);
    // On a busy machine the first replay of a short one says little: memprobe itself is never left out.
    for (const contender of all)
      peaks.set(contender.name, await contender.peak(contender.name.startsWith('memprobe') ? 1 : turns));
    const racing = all.filter(({ name }) => peaks.get(name) !== undefined);
    const times = await race(racing, workload, rounds);
    return all
      .filter(({ name }) => !name.startsWith('nothing'))
      .map(({ name }) => resultOf(name, times, peaks.get(name), workload));
  } finally {
    for (const contender of all) contender.end();
  }
}

function resultOf(
  contender: string,
  times: Map<string, number[]>,
  peak: number | undefined,
  { peakLive }: Workload,
): Result {
  const own = times.get(contender);
  const glibc = times.get('glibc') ?? [];
  const peakOverLive = peak === undefined || peak === 0 ? null : peak / peakLive;
  if (own === undefined) return { contender, ns: null, net: null, ratio: null, netRatio: null, peakOverLive };
  const loopInC = median(times.get('nothing in C') ?? []);
  const loop = contender === 'glibc' ? loopInC : median(times.get('nothing') ?? []);
  const over = (mine: number, its: number): number =>
    median(own.map((ns, i) => (ns - mine) / ((glibc[i] ?? Number.NaN) - its)));
  const ns = median(own);
  return { contender, ns, net: ns - loop, ratio: over(0, 0), netRatio: over(loop, loopInC), peakOverLive };
}
