/**
 * TsAllocator beside glibc in C and other allocators for JavaScript: time and memory.
 *   npm run build:ts && npm run bench:allocator [-- --json] [--only larson,FIFO] [--rounds 5] [--svg FILE]
 *
 * Each contender is a process of its own that replays the same stream; they take turns, a fraction of a second each, so that
 * whatever else the machine does falls on all alike. Times are CPU time, the median of the rounds; `net` is without what the
 * empty loop costs in its language. Memory is the highest byte used over the most bytes live.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import type { Workload } from '../../lib/compare/stream.js';
import { readRecording } from '../../lib/compare/trace.js';
import { makeWorkload, WORKLOADS } from '../../lib/compare/workloads.js';
import { drawSvg, drawText, frontOf } from './allocator/front.js';
import { Contender, geomean, measure, type Result } from './allocator/race.js';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean' },
    only: { type: 'string' },
    rounds: { type: 'string' },
    svg: { type: 'string' },
  },
});
const ROUNDS = Number(flags.rounds ?? 5);
const PEERS = ['dlmalloc, wasm', '@thi.ng/malloc', 'koffi to glibc'];
/** What programs really did, by their mtrace logs. */
const TRACES = ['sqlite3', 'perl', 'cc1'];

/** AssemblyScript's compiler is 100 MB: it takes part where it is. */
function peers(): string[] {
  try {
    createRequire(import.meta.url).resolve('assemblyscript/package.json');
    return [...PEERS, 'AssemblyScript'];
  } catch {
    console.error('without AssemblyScript: "npm install --no-save assemblyscript" brings it, 100 MB');
    return PEERS;
  }
}

async function load(name: string): Promise<Workload> {
  if (!TRACES.includes(name)) return makeWorkload(name);
  const { workload } = await readRecording(here(`../../test/fixtures/traces/${name}.mt.gz`), name);
  return workload;
}

function compile(directory: string): string {
  const program = join(directory, 'replay');
  const { status } = spawnSync('gcc', ['-O2', '-o', program, here('allocator/replay.c')], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('gcc did not compile replay.c: is it installed?');
  return program;
}

/** Single operations with 500,000 live blocks: the worst, and how many took less than 1, 2, 4 … microseconds. */
async function worstCase(directory: string): Promise<{ worst: number; counts: number[] }> {
  const stream = join(directory, 'stream');
  writeFileSync(stream, makeWorkload('500k live').ops);
  const contender = Contender.inJs('memprobe', stream);
  await contender.peak();
  const answer: { worst: number; counts: number[] } = JSON.parse(await contender.ask('histogram'));
  contender.end();
  return answer;
}

/** Bytes minified and gzipped, with all it needs. */
async function size(exports: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: exports, resolveDir: here('../../lib/allocator') },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
  });
  return gzipSync(outputFiles[0]?.contents ?? new Uint8Array()).length;
}

function row(name: string, { contender, ns, net, ratio, netRatio, peakOverLive }: Result): string {
  const figure = (value: number | null, digits: number, width: number): string =>
    (value === null ? '-' : value.toFixed(digits)).padStart(width);
  const time = [figure(ns, 1, 9), figure(net, 1, 9), figure(ratio, 2, 7), figure(netRatio, 2, 7)].join(' ');
  return `${name.padEnd(14)} ${contender.padEnd(15)} ${time} ${figure(peakOverLive, 3, 7)}`;
}

/** How many times longer the fastest of the peers takes, by workload. */
function besidePeers(results: Record<string, Result[]>): Record<string, number> {
  const entries = Object.entries(results).map(([name, rows]) => {
    const ours = rows.find(({ contender }) => contender === 'memprobe')?.ns ?? Number.NaN;
    const others = rows.filter(({ contender }) => contender !== 'glibc' && !contender.startsWith('memprobe'));
    return [name, Math.min(...others.flatMap(({ ns }) => ns ?? [])) / ours] as const;
  });
  return Object.fromEntries(entries);
}

function meanRatio(results: Record<string, Result[]>, key: 'ratio' | 'netRatio'): number {
  const ours = Object.values(results).flatMap((rows) =>
    rows.filter(({ contender }) => contender === 'memprobe'),
  );
  return geomean(ours.flatMap((result) => result[key] ?? []));
}

const directory = mkdtempSync(join(tmpdir(), 'memprobe-bench-'));
try {
  const program = compile(directory);
  const contenders = ['nothing', 'memprobe', 'memprobe, 16', ...peers()];
  const live = new Map<string, number>();
  const results: Record<string, Result[]> = {};
  if (!flags.json) console.log('workload       contender         ns/pair       net   ratio     net  memory');
  for (const name of flags.only?.split(',') ?? [...WORKLOADS, ...TRACES]) {
    if (process.stderr.isTTY) process.stderr.write(`${name} …\r`);
    const workload = await load(name);
    live.set(name, workload.peakLive);
    results[name] = await measure(program, contenders, directory, workload, ROUNDS);
    if (!flags.json) for (const result of results[name]) console.log(row(name, result));
  }
  const front = frontOf(results, live);
  const summary = {
    ratio: meanRatio(results, 'ratio'),
    netRatio: meanRatio(results, 'netRatio'),
    besidePeers: besidePeers(results),
    coreGzipped: await size('export { Core } from "./core.js"; export { format } from "./heap.js";'),
    gzipped: await size('export { TsAllocator } from "./ts_allocator.js";'),
    microseconds: await worstCase(directory),
    front,
  };
  if (flags.svg !== undefined) writeFileSync(flags.svg, drawSvg(front));
  if (flags.json) console.log(JSON.stringify({ results, summary }, null, 2));
  else {
    const factors = Object.entries(summary.besidePeers).map(([name, x]) => `${name} ${x.toFixed(1)}`);
    console.log(`geometric mean of memprobe to glibc: ${summary.ratio.toFixed(2)}, net ${summary.netRatio.toFixed(2)}
the fastest other for JavaScript takes times as long: ${factors.join(', ')}
minified and gzipped: malloc, calloc, realloc and free ${summary.coreGzipped} bytes, all of TsAllocator ${summary.gzipped}
operations with 500,000 live blocks: the worst ${summary.microseconds.worst.toFixed(0)} us; below 1, 2, 4 … us: ${summary.microseconds.counts.join(' ')}
${drawText(front)}`);
  }
} finally {
  rmSync(directory, { recursive: true });
}
