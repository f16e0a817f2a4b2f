/**
 * Reads smaps of a process with 60,000 mappings in four ways, in turn, and prints medians and ratios.
 *   npx tsx scripts/bench/smaps.ts [rounds]
 * `cat` is what the kernel needs to write the file; it and pmap write to /dev/null.
 */
import { spawnSync } from 'node:child_process';
import { readSmaps } from '../../lib/procfs/smaps.js';
import { spawnWithMappings, stop } from '../../test/procfs/support.js';

const MAPPINGS = 60_000;
const ROUNDS = Number(process.argv[2] ?? 9);

/** Times itself, so that the start of Python does not count. */
const PSUTIL = `
import psutil, sys, time
process = psutil.Process(int(sys.argv[1]))
start = time.perf_counter()
process.memory_maps(grouped=False)
print((time.perf_counter() - start) * 1000)
`;

/** Debian's package serves Debian's Python, which need not be the first in PATH. */
const PYTHON = ['python3', '/usr/bin/python3'].find(hasPsutil) ?? 'python3';

type Way = (pid: number) => number | Promise<number>;

/** Milliseconds. */
const ways: Record<string, Way> = {
  cat: (pid) => timed(() => run('cat', [`/proc/${pid}/smaps`], 'ignore')),
  memprobe: async (pid) => {
    const start = performance.now();
    const smaps = await readSmaps({ pid });
    if (smaps.length < MAPPINGS || smaps.total('Rss') === 0) throw new Error('smaps was not read whole');
    return performance.now() - start;
  },
  'pmap -x': (pid) => timed(() => run('pmap', ['-x', String(pid)], 'ignore')),
  psutil: (pid) => Number(run(PYTHON, ['-c', PSUTIL, String(pid)])),
};

const unavailable: Record<string, string> = {};
if (spawnSync('pmap', ['-V']).status !== 0) unavailable['pmap -x'] = 'apt-get install procps';
if (!hasPsutil(PYTHON)) unavailable.psutil = 'apt-get install python3-psutil';
for (const [name, remedy] of Object.entries(unavailable))
  console.log(`SKIPPED: ${name} is missing (${remedy})`);

const child = await spawnWithMappings(MAPPINGS);
try {
  report(await measure(child.pid));
} finally {
  await stop(child);
}

async function measure(pid: number): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, way] of Object.entries(ways)) {
      if (name in unavailable) continue;
      times.set(name, [...(times.get(name) ?? []), await way(pid)]);
    }
  }
  return times;
}

function report(times: Map<string, number[]>): void {
  const ours = median(times.get('memprobe') ?? []);
  console.log(`smaps of ${MAPPINGS} mappings, medians of ${ROUNDS} rounds:`);
  for (const [name, values] of times) {
    const value = median(values);
    console.log(
      `  ${name.padEnd(9)} ${value.toFixed(0).padStart(6)} ms   memprobe takes ${(ours / value).toFixed(2)} of it`,
    );
  }
}

function hasPsutil(python: string): boolean {
  return spawnSync(python, ['-c', 'import psutil']).status === 0;
}

function run(command: string, args: string[], output: 'pipe' | 'ignore' = 'pipe'): string {
  const { stdout, status, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', output, 'pipe'],
  });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
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
