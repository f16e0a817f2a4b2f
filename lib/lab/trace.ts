/** mtrace: a log of every block, and the one in it that nobody freed. */
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Address, NULL } from '../address.js';
import { count } from '../format.js';
import { M_TOP_PAD, M_TRIM_THRESHOLD, malloc_trim, mallopt } from '../libc/mallinfo.js';
import { free } from '../libc/malloc.js';
import { mtrace, muntrace } from '../libc/mtrace.js';
import { mallocDebugEnvironment } from '../malloc_debug.js';
import type { LiveBlock } from '../mtrace/leftover.js';
import { parseMtrace } from '../mtrace/read.js';
import type { Bench, Lab } from './bench.js';
import { needHeapRoom } from './heap.js';
import { xmalloc } from './idioms.js';
import { bytesAt, hex, KIB, MIB } from './words.js';

const BLOCKS = 100;
const FORGOTTEN = 3;
/** A size that nobody else asks for meanwhile. */
const SIZE = 10 * KIB + 3;
/** malloc raises the break by so much at once: what Node itself takes meanwhile needs no step of its own. */
const ROOM = 4 * MIB;

export const traceLab: Lab = {
  name: 'trace',
  summary: 'mtrace: a leak that maps cannot show, found in the log of every call',
  environment: (env) => mallocDebugEnvironment({ env }),
  async run(bench) {
    const log = join(bench.directory, 'trace.log');
    const leaked = await leak(bench, log);
    await find(bench, log, leaked);
    free(leaked);
  },
};

async function leak(bench: Bench, log: string): Promise<Address> {
  await quiet();
  bench.section('A leak does not show in the map');
  bench.note('mtrace', 'mtrace("trace.log")');
  bench.say(
    'It acts only in a process that was started with libc_malloc_debug.so.0 preloaded, as this one was; ' +
      "'memprobe run --malloc-debug' does it for yours.",
  );
  mtrace(log);
  const first = bench.step('take', `${BLOCKS} blocks of 10 KiB, written`, take).value;
  bench.say('The heap grew by more than they need: M_TOP_PAD is 4 MiB here. Resident is what was written.');
  bench.step('free', 'free() for every one of them', () => first.forEach(free));
  bench.say('They are free, and the heap is as long as before: malloc keeps it for the next who asks.');
  const second = bench.step('again', `${BLOCKS} blocks of 10 KiB, written, once more`, take).value;
  bench.say('Those were the next.');
  bench.step('leak', 'free() for every one of them but the third', () => {
    second.filter((_, i) => i !== FORGOTTEN - 1).forEach(free);
  });
  bench.say('The third is lost: nobody will free it. From outside this looks like the first time.');
  muntrace();
  bench.note('muntrace', 'muntrace()');
  bench.shows(
    'Whether a block was forgotten or all were freed, maps and statm say the same: malloc keeps its pages.',
  );
  return second[FORGOTTEN - 1] ?? NULL;
}

/** The heap is to grow only in the lesson, and not to shrink; memprobe's own book of blocks is opened beforehand. */
async function quiet(): Promise<void> {
  await needHeapRoom(2 * (BLOCKS * SIZE + ROOM));
  mallopt(M_TRIM_THRESHOLD, 64 * MIB);
  mallopt(M_TOP_PAD, ROOM);
  take().forEach(free);
  malloc_trim(0);
}

function take(): Address[] {
  return Array.from({ length: BLOCKS }, () => {
    const block = xmalloc(SIZE);
    bytesAt(block, SIZE).fill(1);
    return block;
  });
}

async function find(bench: Bench, log: string, leaked: Address): Promise<void> {
  bench.section('The log knows');
  const trace = await parseMtrace(createReadStream(log));
  const ours = readFileSync(log, 'latin1')
    .split('\n')
    .filter((line) => line.includes(` ${hex(leaked)}`));
  bench.note('log', `the lines of trace.log about ${hex(leaked)}`);
  bench.say(...ours.map(brief));
  bench.say(
    'A line is: who called (object and offset), + or - for allocated or freed, the block, and of a new one its size in ' +
      `bytes: 0x${SIZE.toString(16)} is ${count(SIZE, 'byte')}. An address may be given out again and again; nobody freed it if ` +
      `its last line is a +. The log has ${count(trace.operations, 'call')} in all: those of Node are there, too.`,
  );
  bench.record({ lines: ours.length, last: ours.at(-1) ?? '', operations: trace.operations });
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
