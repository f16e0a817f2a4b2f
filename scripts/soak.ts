/**
 * npm run soak -- [--minutes 5]: an hour's worth of calls, which is 1,000 a second, compressed into five minutes: the cases of
 * the leak test in turn, worker threads that come and go, looks at the own process. Memory, file descriptors and mappings
 * must be flat: the last third of the run is compared with the third before. Ends with 1 where they are not; the last
 * line says so.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { explain } from '../lib/explain/index.js';
import { mallinfo2 } from '../lib/libc/index.js';
import { addonPath } from '../lib/native.js';
import { type Case, cases, once } from '../test/leak/cases.js';

const MIB = 2 ** 20;
/** What each may have grown by: memory breathes with V8's garbage, the others may not. */
const ALLOWED = { rss: 6 * MIB, malloc: MIB, fds: 0, mappings: 8 };
type Measure = keyof typeof ALLOWED;
const measures: readonly Measure[] = ['rss', 'malloc', 'fds', 'mappings'];
type Sample = Readonly<Record<Measure, number>>;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '5' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0 && minutes <= 600)) {
  console.error(`soak: --minutes must be more than 0 and at most 600, and is '${values.minutes}'`);
  process.exit(2);
}

async function sample(): Promise<Sample> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await setImmediate();
  }
  const { uordblks, hblkhd } = mallinfo2();
  return {
    rss: Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * 4096,
    malloc: uordblks + hblkhd,
    fds: readdirSync('/proc/self/fd').length,
    mappings: readFileSync('/proc/self/maps', 'latin1').split('\n').length,
  };
}

const WORKER = `const { libc } = require(${JSON.stringify(addonPath)});
  const address = libc.mmap(0n, 65536, 3, 34, -1, 0); new Uint8Array(libc.view(address, 65536)).fill(1); libc.munmap(address, 65536);`;

async function worker(): Promise<void> {
  const thread = new Worker(WORKER, { eval: true, execArgv: [] });
  await new Promise((done) => thread.once('exit', done));
}

const all: readonly Case[] = [...cases.values()];

/** A round of everything; how many calls. */
async function round(number: number): Promise<number> {
  for (let i = 0; i < 20; i++) await Promise.all(all.map(once));
  if (number % 10 === 0) await worker();
  if (number % 50 === 0) await explain();
  return 20 * all.length;
}

const show = (measure: Measure, value: number): string =>
  measure === 'rss' || measure === 'malloc' ? `${(value / MIB).toFixed(1)} MiB` : String(value);

/** The least of the samples: what is there when nothing is under way. */
const least = (samples: readonly Sample[], measure: Measure): number =>
  Math.min(...samples.map((each) => each[measure]));

function judge(samples: readonly Sample[], measure: Measure): boolean {
  const third = Math.floor(samples.length / 3);
  const before = least(samples.slice(third, 2 * third), measure);
  const after = least(samples.slice(-third), measure);
  const flat = third > 0 && after - before <= ALLOWED[measure];
  console.log(`${measure}: ${show(measure, before)} then ${show(measure, after)}${flat ? '' : ', GROWN'}`);
  return flat;
}

let stopped = false;
process.once('SIGINT', () => (stopped = true));

async function soak(): Promise<{ calls: number; samples: Sample[] }> {
  const samples: Sample[] = [];
  const start = Date.now();
  const end = start + minutes * 60_000;
  let calls = 0;
  for (let number = 0; Date.now() < end && !stopped; number++) {
    calls += await round(number);
    if (Date.now() < start + ((samples.length + 1) * (end - start)) / 61) continue;
    samples.push(await sample());
    if (process.stderr.isTTY)
      process.stderr.write(`\r${calls} calls, ${Math.round((end - Date.now()) / 1000)} s left `);
  }
  return { calls, samples };
}

const { calls, samples } = await soak();
const flat = measures.filter((measure) => judge(samples, measure)).length === measures.length;
console.log(
  `soak: ${calls} calls in ${minutes} minutes, ${flat ? 'flat' : 'NOT FLAT'}${stopped ? ', stopped' : ''}`,
);
process.exitCode = stopped ? 130 : flat ? 0 : 1;
