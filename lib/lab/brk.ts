/** The program break: the oldest way to more memory, and its one end. */
import type { Address } from '../address.js';
import { brk, sbrk } from '../libc/brk.js';
import { MADV_DONTNEED, madvise } from '../libc/madvise.js';
import { M_TRIM_THRESHOLD, mallopt } from '../libc/mallinfo.js';
import { free } from '../libc/malloc.js';
import { peek } from '../libc/memory.js';
import { mincore } from '../libc/mincore.js';
import { type Bench, type Lab, sizeIn } from './bench.js';
import { codeOf } from '../procfs/errors.js';
import { UnluckyError } from './errors.js';
import { BLOCKED } from './heap.js';
import { xmalloc } from './idioms.js';
import { bytesAt, hex, KIB, MIB, pages, roundAddressUp, touch } from './words.js';

const HEAP = '[heap]';

export const brkLab: Lab = {
  name: 'brk',
  summary: 'the program break: how the heap grows, and what it cannot give back',
  run(bench) {
    try {
      cushion();
      grow(bench);
      holes(bench);
    } catch (error) {
      throw luck(error);
    }
  },
};

/** Free memory below the break, so that malloc need not move it in the midst of the lesson. */
function cushion(): void {
  mallopt(M_TRIM_THRESHOLD, 64 * MIB);
  const blocks = Array.from({ length: 16 }, () => xmalloc(64 * KIB));
  blocks.forEach(free);
}

/** Whatever lies above the heap, and whatever glibc puts there meanwhile, is this process's bad luck. */
function luck(error: unknown): unknown {
  const blocked = { ENOMEM: 'grow', ERR_MEMPROBE_NOT_OWNED: 'shrink' }[codeOf(error) ?? ''];
  if (blocked === undefined) return error;
  const why =
    blocked === 'grow'
      ? `${BLOCKED}, or RLIMIT_DATA is reached`
      : "glibc's malloc has raised the break meanwhile";
  return new UnluckyError(`the break can't ${blocked}: ${why}`, { cause: error });
}

function grow(bench: Bench): void {
  bench.section('The break moves by bytes, the heap by pages');
  const { value: start } = bench.step('ask', 'sbrk(0)', () => sbrk(0));
  bench.say(`The break is at ${hex(start)}, and the mapping [heap] ends there.`);
  bench.record({ break: hex(start) });

  const first = bench.step('first', 'sbrk(128)', () => sbrk(128));
  bench.say(
    `The break is 128 bytes further, but the heap is longer by ${pages(sizeIn(first.change, HEAP))}: the kernel ` +
      'deals in whole pages. None of it is resident before it is touched.',
  );
  bench.record({ returned: hex(first.value), break: hex(sbrk(0)) });

  bench.step('second', 'sbrk(128)', () => sbrk(128));
  bench.say('256 bytes fit the page that is there already.');
  bench.record({ break: hex(sbrk(0)) });

  bench.step('shrink', 'sbrk(-256)', () => sbrk(-256));
  bench.record({ break: hex(sbrk(0)) });
  bench.shows('The break is a number of bytes; the memory behind it is that number rounded up to a page.');
}

function holes(bench: Bench): void {
  const { page } = bench;
  bench.section('A heap has only one end');
  const before = sbrk(0);
  const start = roundAddressUp(before, page);
  const at = (number: number) => start + BigInt((number - 1) * page);
  const end = start + BigInt(6 * page);

  bench.step('six', 'start = sbrk(0); brk(start + 6 * page)', () => brk(end));
  const writeAll = () => touch(bytesAt(start, 6 * page), page, 7);
  bench.step('write', 'a 7 into each of the pages 1 to 6', writeAll);
  picture(bench, start);

  bench.step('cut', 'brk(start + 1 * page); brk(start + 6 * page)', () => (brk(at(2)), brk(end)));
  bench.say('To free pages 2 to 4 the break has to go below them, and 5 and 6, still in use, go with them:');
  picture(bench, start);

  bench.measure(writeAll);
  bench.step('madvise', 'madvise(start + 1 * page, 3 * page, MADV_DONTNEED)', () =>
    madvise(at(2), 3 * page, MADV_DONTNEED),
  );
  bench.say('All six written again, and only 2 to 4 given back. The heap has kept its length:');
  picture(bench, start);

  bench.step('end', 'brk(start)', () => brk(before));
  bench.say('Once 5 and 6 are free too, the break can go down.');
  bench.shows(
    'brk gives memory back from the end alone, so one live block keeps all below it; madvise gives back pages from ' +
      'the middle, and only their addresses stay taken.',
  );
}

/** What each of the six pages holds, and whether it is in memory at all. */
function picture(bench: Bench, start: Address): void {
  const { page } = bench;
  const resident = [...mincore(start, 6 * page)].map((bits) => bits & 1);
  const values = resident.map((_, i) => peek(start + BigInt(i * page), 1)[0] ?? 0);
  bench.table(
    ['page', '1', '2', '3', '4', '5', '6'],
    [
      ['resident (mincore)', ...resident.map((bit) => (bit ? 'yes' : '-'))],
      ['first byte', ...values.map(String)],
    ],
  );
  bench.record({ resident: resident.join(''), values: values.join('') });
}
