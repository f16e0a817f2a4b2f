/** mincore: which pages of a file are in memory. */
import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { MADV_RANDOM, madvise } from '../libc/madvise.js';
import { mincore } from '../libc/mincore.js';
import { MAP_SHARED, mmap, munmap } from '../libc/mmap.js';
import { type Bench, type Lab, residentIn } from './bench.js';
import { bytesAt, READ_WRITE } from './words.js';

const PAGES = 64;
const FILE = 'file';

export const mincoreLab: Lab = {
  name: 'mincore',
  summary: 'which pages of a file are in memory, before and after they are touched',
  tells: ['faults'],
  run(bench) {
    random(bench);
    sequential(bench);
  },
};

interface Mapped {
  address: bigint;
  length: number;
  bytes: Uint8Array;
}

/** A file that was only given its length: nothing of it was ever read or written, so nothing of it is in memory. */
function mapFile(bench: Bench, name: string): Mapped {
  const length = PAGES * bench.page;
  const fd = openSync(join(bench.directory, name), 'w+');
  ftruncateSync(fd, length);
  const address = mmap(0n, length, READ_WRITE, MAP_SHARED, fd, 0);
  closeSync(fd);
  bench.watch(address, length, FILE);
  return { address, length, bytes: bytesAt(address, length) };
}

function random(bench: Bench): void {
  const { page } = bench;
  bench.section('One page asked for, one page read');
  const file = bench.step('map', `p = mmap(a file of ${PAGES} pages, MAP_SHARED)`, () =>
    mapFile(bench, 'one'),
  ).value;
  madvise(file.address, file.length, MADV_RANDOM);
  show(bench, file);

  bench.step('touch', 'madvise(p, ..., MADV_RANDOM); read p[10 * page]', () => file.bytes[10 * page]);
  bench.say('MADV_RANDOM: the kernel reads what is asked for, and no more.');
  show(bench, file);

  bench.step('write', 'p[20 * page] = 1', () => (file.bytes[20 * page] = 1));
  show(bench, file);
  munmap(file.address, file.length);
  bench.shows(
    'mincore tells page by page what an access would find in memory, and what it would have to wait for.',
  );
}

function sequential(bench: Bench): void {
  bench.section('One page asked for, many read');
  const file = mapFile(bench, 'two');
  bench.note('fresh', 'p = mmap(another such file), without advice');
  show(bench, file);
  const { change } = bench.step('ahead', 'read p[0]', () => file.bytes[0]);
  const inMemory = show(bench, file);
  bench.say(
    inMemory > 1
      ? `One load brought ${inMemory} into the page cache, of which ${residentIn(change, FILE)} were mapped here in the ` +
          'same fault: the kernel guesses that the neighbours come next.'
      : 'One load brought one page: a file system in memory (tmpfs) has nothing to read ahead.',
  );
  munmap(file.address, file.length);
  bench.shows(
    'mincore reports the page cache, which belongs to all: more than this process has touched, or has mapped.',
  );
}

/** A row of 64 marks: # in memory, . not. */
function show(bench: Bench, { address, length }: Mapped): number {
  const picture = [...mincore(address, length)].map((bits) => (bits & 1 ? '#' : '.')).join('');
  const inMemory = picture.replaceAll('.', '').length;
  bench.table(['mincore', picture], []);
  bench.record({ inMemory, picture });
  return inMemory;
}
