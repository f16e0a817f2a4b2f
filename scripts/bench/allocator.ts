/**
 * TsAllocator beside glibc in C and other allocators for JavaScript: time and memory.
 *   npm run build:ts && npm run bench:allocator [-- --json] [-- --only larson,FIFO] [-- --rounds 7]
 *
 * Each contender is a process of its own that replays the same stream; they take turns, a fraction of a second each, so that
 * whatever else the machine does falls on all alike. Times are CPU time, the median of the rounds; `net` is without what the
 * empty loop costs in its language. Memory is the highest byte used over the most bytes live.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import type { Workload } from '../../lib/compare/stream.js';
import { readRecording } from '../../lib/compare/trace.js';
import { makeWorkload, WORKLOADS } from '../../lib/compare/workloads.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const { values: flags } = parseArgs({
  options: { json: { type: 'boolean' }, only: { type: 'string' }, rounds: { type: 'string' } },
});
const ROUNDS = Number(flags.rounds ?? 7);
const JS = ['nothing', 'memprobe', 'memprobe, 16', 'koffi to glibc', '@thi.ng/malloc'] as const;
/** Its free searches a list: minutes on anything but a few live blocks. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  '@thi.ng/malloc': ['LIFO 16', 'LIFO 64', 'LIFO 1024', 'realloc'],
};
const REPLAYED_PAIRS = 600_000;
/** What programs really did, by their mtrace logs. */
const TRACES = ['sqlite3', 'perl', 'cc1'];

interface Result {
  contender: string;
  ns: number;
  net: number;
  ratio: number;
  netRatio: number;
  peakOverLive: number | null;
}

async function load(name: string): Promise<Workload> {
  if (!TRACES.includes(name)) return makeWorkload(name);
  const { workload } = await readRecording(here(`../../test/fixtures/traces/${name}.mt.gz`), name);
  return workload;
}

/** A process that replays; it answers each line with one. */
class Contender {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(
    readonly name: string,
    command: string,
    args: string[],
  ) {
    this.#child = spawn(command, args);
    this.#child.stderr.pipe(process.stderr);
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async read(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`${this.name} ended early`);
    return value;
  }

  ask(line: string): Promise<string> {
    this.#child.stdin.write(`${line}\n`);
    return this.read();
  }

  end(): void {
    this.#child.stdin.end();
  }
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const geomean = (values: number[]): number =>
  Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);

function compile(directory: string): string {
  const program = join(directory, 'replay');
  const { status } = spawnSync('gcc', ['-O2', '-o', program, here('allocator/replay.c')], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('gcc did not compile replay.c: is it installed?');
  return program;
}

function lineUp(program: string, stream: string, workload: Workload): Contender[] {
  const js = JS.filter((name) => ONLY[name]?.includes(workload.name) ?? true);
  return [
    new Contender('glibc', program, [stream]),
    new Contender('nothing in C', program, [stream, 'nothing']),
    ...js.map((name) => new Contender(name, process.execPath, [here('allocator/replay.mjs'), stream, name])),
  ];
}

/** All of them by turns; nanoseconds a pair. Rounds before the measured ones warm the compiler up. */
async function race(contenders: Contender[], workload: Workload): Promise<Map<string, number>> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  const repeat = Math.max(1, Math.round(REPLAYED_PAIRS / workload.pairs));
  for (let round = -3; round < ROUNDS; round++) {
    for (const contender of contenders) {
      const ns = Number(await contender.ask(String(repeat))) / repeat / workload.pairs;
      if (round >= 0) times.get(contender.name)?.push(ns);
    }
  }
  return new Map([...times].map(([name, values]) => [name, median(values)]));
}

async function measure(program: string, directory: string, workload: Workload): Promise<Result[]> {
  const stream = join(directory, 'stream');
  writeFileSync(stream, workload.ops);
  const contenders = lineUp(program, stream, workload);
  try {
    const peaks = new Map<string, number>();
    for (const contender of contenders) peaks.set(contender.name, Number(await contender.read()));
    const times = await race(contenders, workload);
    const loop = { c: times.get('nothing in C') ?? 0, js: times.get('nothing') ?? 0 };
    const glibc = times.get('glibc') ?? Number.NaN;
    return contenders
      .filter(({ name }) => !name.startsWith('nothing'))
      .map(({ name }) => {
        const ns = times.get(name) ?? Number.NaN;
        const net = ns - (name === 'glibc' ? loop.c : loop.js);
        const peak = peaks.get(name) ?? 0;
        const peakOverLive = peak === 0 ? null : peak / workload.peakLive;
        return {
          contender: name,
          ns,
          net,
          ratio: ns / glibc,
          netRatio: net / (glibc - loop.c),
          peakOverLive,
        };
      });
  } finally {
    for (const contender of contenders) contender.end();
  }
}

/** Single operations at 500,000 live blocks, by time: counts below 1, 2, 4 … microseconds. */
async function worstCase(directory: string): Promise<number[]> {
  const stream = join(directory, 'stream');
  writeFileSync(stream, makeWorkload('500k live').ops);
  const contender = new Contender('memprobe', process.execPath, [
    here('allocator/replay.mjs'),
    stream,
    'memprobe',
  ]);
  await contender.read();
  await contender.ask('2');
  const counts: number[] = JSON.parse(await contender.ask('histogram'));
  contender.end();
  return counts;
}

/** Bytes of TsAllocator with all it needs, minified and gzipped. */
async function size(): Promise<number> {
  const entry = here('../../lib/allocator/ts_allocator.ts');
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
  });
  return gzipSync(outputFiles[0]?.contents ?? new Uint8Array()).length;
}

function row(name: string, { contender, ns, net, ratio, netRatio, peakOverLive }: Result): string {
  const memory = peakOverLive === null ? '     -' : peakOverLive.toFixed(3).padStart(7);
  const time = `${ns.toFixed(1).padStart(9)} ${net.toFixed(1).padStart(9)} ${ratio.toFixed(2).padStart(7)} ${netRatio.toFixed(2).padStart(7)}`;
  return `${name.padEnd(14)} ${contender.padEnd(15)} ${time} ${memory}`;
}

const directory = mkdtempSync(join(tmpdir(), 'memprobe-bench-'));
try {
  const program = compile(directory);
  const names = flags.only?.split(',') ?? [...WORKLOADS, ...TRACES];
  const results: Record<string, Result[]> = {};
  if (!flags.json) console.log('workload       contender         ns/pair       net   ratio     net  memory');
  for (const name of names) {
    const rows = await measure(program, directory, await load(name));
    results[name] = rows;
    if (!flags.json) for (const result of rows) console.log(row(name, result));
  }
  const ours = Object.values(results).flatMap((rows) =>
    rows.filter(({ contender }) => contender === 'memprobe'),
  );
  const summary = {
    ratio: geomean(ours.map(({ ratio }) => ratio)),
    netRatio: geomean(ours.map(({ netRatio }) => netRatio)),
    gzipped: await size(),
    microseconds: await worstCase(directory),
  };
  console.log(
    flags.json
      ? JSON.stringify({ results, summary }, null, 2)
      : `geometric mean of memprobe to glibc: ${summary.ratio.toFixed(2)}, net ${summary.netRatio.toFixed(2)}\n` +
          `all of TsAllocator, minified and gzipped: ${summary.gzipped} bytes\n` +
          `operations at 500,000 live blocks below 1, 2, 4 … us: ${summary.microseconds.join(' ')}`,
  );
} finally {
  rmSync(directory, { recursive: true });
}
