/** The process that a lab runs in: `child.js NAME DIRECTORY`, with the line to its watcher as descriptor 3. */
import { MADV_POPULATE_READ, madvise } from '../libc/madvise.js';
import { free, malloc } from '../libc/malloc.js';
import { readMaps } from '../procfs/maps.js';
import { Bench } from './bench.js';
import { codeOf } from '../procfs/errors.js';
import { findLab } from './labs.js';
import { FAILURE, Observer, REPORT } from './observer.js';
import { type LabReport, VERSION } from './report.js';
import { pages } from './words.js';

async function main(name: string, directory: string): Promise<LabReport> {
  const lab = findLab(name);
  const bench = new Bench(observer, directory);
  await warmUp();
  const drift = bench.settle();
  await lab.run(bench);
  return {
    version: VERSION,
    lab: lab.name,
    summary: lab.summary,
    pid: process.pid,
    pageSize: bench.page,
    drift,
    tells: lab.tells ?? [],
    sections: bench.sections,
  };
}

/** What comes into memory once and for all, comes before it is counted. */
async function warmUp(): Promise<void> {
  await fetchCode();
  churn();
  pages(1234); // loads the rules for writing numbers
  free(malloc(100)); // opens memprobe's own book of blocks
}

/** Code is read from its file when it first runs: have it all read now. */
async function fetchCode(): Promise<void> {
  for (const { start, end, perms, path } of await readMaps()) {
    if (!path.startsWith('/') || !perms.startsWith('r')) continue;
    try {
      madvise(start, Number(end - start), MADV_POPULATE_READ);
    } catch (error) {
      if (codeOf(error) !== 'EINVAL') throw error; // before Linux 5.14
    }
  }
}

/** V8 takes the pages of its young generation as it comes to them: have it come to all of them before it matters. */
function churn(): void {
  for (let i = 0; i < 200_000; i++) garbage = { i, before: garbage && i % 100 === 0 ? undefined : i };
}

let garbage: object | undefined;
const observer = new Observer();
const [name = '', directory = ''] = process.argv.slice(2);

try {
  observer.close(REPORT, await main(name, directory));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  observer.close(FAILURE, { code: codeOf(error), message, stack });
  process.exitCode = 1;
}
