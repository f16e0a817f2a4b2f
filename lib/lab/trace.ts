/** mtrace: a log of every block, and the one in it that nobody freed. */
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { count } from '../explain/format.js';
import { free } from '../libc/malloc.js';
import { mtrace, muntrace } from '../libc/mtrace.js';
import { mallocDebugEnvironment } from '../malloc_debug.js';
import { type LiveBlock, parseMtrace } from '../mtrace/read.js';
import type { Bench, Lab } from './bench.js';
import { xmalloc } from './idioms.js';
import { bytesAt, hex, KIB } from './words.js';

const BLOCKS = 10;
const FORGOTTEN = 3;
/** A size that nobody else asks for meanwhile. */
const SIZE = 10 * KIB + 3;

export const traceLab: Lab = {
  name: 'trace',
  summary: 'mtrace: a leak that maps cannot show, found in the log of every call',
  environment: (env) => mallocDebugEnvironment({ env }),
  async run(bench) {
    const log = join(bench.directory, 'trace.log');
    const leaked = leak(bench, log);
    await find(bench, log, leaked);
    free(leaked);
  },
};

function leak(bench: Bench, log: string): bigint {
  bench.section('A leak does not show in the map');
  bench.note('mtrace', 'mtrace("trace.log")');
  bench.say(
    'It acts only in a process that was started with libc_malloc_debug.so.0 preloaded, as this one was; ' +
      "'memprobe run --malloc-debug' does it for yours.",
  );
  mtrace(log);
  const { value: blocks } = bench.step('take', `${BLOCKS} blocks of 10 KiB, written`, take);
  bench.step('free', 'free() for each of them, but the third', () => {
    blocks.filter((_, i) => i !== FORGOTTEN - 1).forEach(free);
  });
  muntrace();
  bench.note('muntrace', 'muntrace()');
  bench.shows(
    'Whether a block was forgotten or all were freed, maps and statm say the same: malloc keeps its pages.',
  );
  return blocks[FORGOTTEN - 1] ?? 0n;
}

function take(): bigint[] {
  return Array.from({ length: BLOCKS }, () => {
    const block = xmalloc(SIZE);
    bytesAt(block, SIZE).fill(1);
    return block;
  });
}

async function find(bench: Bench, log: string, leaked: bigint): Promise<void> {
  bench.section('The log knows');
  const trace = await parseMtrace(createReadStream(log));
  const ours = readFileSync(log, 'latin1')
    .split('\n')
    .filter((line) => line.includes(` ${hex(leaked)}`));
  bench.note('log', 'the lines of trace.log about the third block');
  bench.say(...ours.map(brief));
  bench.say(
    `Allocated (+), and no line of a free (-). The log has ${count(trace.operations, 'call')} in all: those of Node are there, too.`,
  );
  bench.record({ lines: ours.length, operations: trace.operations });
  const live = [...trace.live].filter(({ size }) => size === SIZE);
  bench.note('leaks', 'what was allocated and not freed, of that size');
  bench.say(...live.map(told));
  bench.record({
    blocks: live.length,
    bytes: live.reduce((sum, { size }) => sum + size, 0),
    found: hex(live[0]?.address ?? 0n),
    leaked: hex(leaked),
  });
  bench.shows(
    "mtrace writes a line for every call of the allocator; 'memprobe leaks' matches them and names the callers.",
  );
}

/** Without the directory of the object that called. */
function brief(line: string): string {
  return line.replace(/@ \S*\//, '@ ');
}

function told({ address, size, site, line }: LiveBlock): string {
  return `${count(size, 'byte')} at ${hex(address)}, allocated in line ${line} by ${site.replace(/^\S*\//, '')}`;
}
