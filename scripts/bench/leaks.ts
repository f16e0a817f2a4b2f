/**
 * Reads a log of a million lines, written by perl under mtrace, with glibc's script and with this package, in turn, and
 * prints medians and ratios.
 *   npm run build:ts && npx tsx scripts/bench/leaks.ts [rounds]
 * `parser, cold` is readMtrace and findLeaks in a process of its own, without the start of Node; `parser, warm` is the
 * second such run in one process; `command` is all of `memprobe leaks --json`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mallocDebugEnvironment } from '../../lib/malloc_debug.js';

const ROUNDS = Number(process.argv[2] ?? 5);
const LIBRARY = new URL('../../dist/mtrace/index.js', import.meta.url).href;
const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const WORKLOAD = `
  my %h;
  $h{"key$_"} = [$_, "value $_" x 3] for 1 .. 100_000;
  my @sorted = sort { $h{$a}[0] <=> $h{$b}[0] } keys %h;
  delete $h{$_} for @sorted[0 .. 89_999];`;

/** Prints milliseconds of the first and the second reading, how much memory that took in KiB, and the lines. */
const READ = `
  import { findLeaks, readMtrace } from ${JSON.stringify(LIBRARY)};
  const times = [];
  let trace;
  for (let i = 0; i < 2; i++) {
    const start = performance.now();
    trace = await readMtrace(process.argv[1]);
    findLeaks(trace);
    times.push(performance.now() - start);
  }
  console.log(JSON.stringify({ times, maxRss: process.resourceUsage().maxRSS, lines: trace.lines }));`;

interface Reading {
  times: [cold: number, warm: number];
  maxRss: number;
  lines: number;
}

const directory = mkdtempSync(join(tmpdir(), 'memprobe-bench-'));
try {
  const log = join(directory, 'perl.mt');
  run('perl', ['-e', WORKLOAD], mallocDebugEnvironment({ trace: log }));
  report(log, measure(log));
} finally {
  rmSync(directory, { recursive: true });
}

function measure(log: string): Map<string, number[]> {
  const times = new Map<string, number[]>();
  const add = (name: string, value: number) => times.set(name, [...(times.get(name) ?? []), value]);
  for (let round = 0; round < ROUNDS; round++) {
    add(
      'mtrace script',
      timed(() => run('/usr/bin/mtrace', [log])),
    );
    const reading: Reading = JSON.parse(run(process.execPath, ['--input-type=module', '-e', READ, log]));
    add('parser, cold', reading.times[0]);
    add('parser, warm', reading.times[1]);
    add(
      'command',
      timed(() => run(process.execPath, [CLI, 'leaks', '--json', log])),
    );
    if (round === 0) console.log(`${reading.lines} lines, ${reading.maxRss >> 10} MiB at most in memory`);
  }
  return times;
}

function report(log: string, times: Map<string, number[]>): void {
  const script = median(times.get('mtrace script') ?? []);
  console.log(`${statSync(log).size >> 20} MiB of log, medians of ${ROUNDS} rounds:`);
  for (const [name, values] of times) {
    const value = median(values);
    const ratio = (script / value).toFixed(1);
    console.log(
      `  ${name.padEnd(14)} ${value.toFixed(0).padStart(6)} ms   ${ratio} times as fast as the script`,
    );
  }
}

/** The script ends with 1 where something leaked. */
function run(command: string, args: string[], env = process.env): string {
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28, env });
  if (error) throw error;
  if (stderr) process.stderr.write(stderr);
  return stdout;
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
