/** Demand paging: what a touch costs, and when. */
import { readFileSync } from 'node:fs';
import { MADV_HUGEPAGE, madvise } from '../libc/madvise.js';
import { munmap } from '../libc/mmap.js';
import { type Bench, type Lab, residentIn } from './bench.js';
import { codeOf } from '../procfs/errors.js';
import { bytesAt, keepPagesSmall, mapAlone, MIB, pages, readEach, roundAddressUp, touch } from './words.js';

const MEMORY = 'memory';
const HUGE = 2 * MIB;
const SETTING = '/sys/kernel/mm/transparent_hugepage/enabled';

export const faults: Lab = {
  name: 'faults',
  summary: 'page faults: memory arrives page by page, when it is touched',
  tells: ['faults', 'huge'],
  run(bench) {
    onDemand(bench);
    zeroPage(bench);
    hugePage(bench);
  },
};

function map(bench: Bench, length: number): { address: bigint; bytes: Uint8Array } {
  const address = mapAlone(length);
  keepPagesSmall(address, length);
  bench.watch(address, length, MEMORY);
  return { address, bytes: bytesAt(address, length) };
}

function onDemand(bench: Bench): void {
  const { page } = bench;
  bench.section('One fault for each page');
  const { value: memory } = bench.step('map', 'm = mmap(8 pages of zeroes)', () => map(bench, 8 * page));
  bench.say('Eight pages of addresses, and none in memory.');
  bench.note('touch', 'm[0] = 1; m[page] = 1; m[2 * page] = 1; ...');
  let [minor, resident] = [0, 0];
  const rows = Array.from({ length: 8 }, (_, i) => {
    const { change } = bench.measure(() => (memory.bytes[i * page] = 1));
    minor += change.faults.minor;
    resident += residentIn(change, MEMORY);
    return [String(i + 1), String(minor), String(resident)];
  });
  bench.table(['pages touched', 'minor faults', 'resident'], rows);
  bench.record({ minor, resident });

  const again = bench.step('again', 'all of them once more', () => touch(memory.bytes, page));
  bench.say(`${again.change.faults.minor} faults: they are there.`);
  munmap(memory.address, 8 * page);
  bench.shows('The first touch of a page is a minor fault that brings it; every later one costs nothing.');
}

function zeroPage(bench: Bench): void {
  const { page } = bench;
  bench.section('Reading is not writing');
  const { address, bytes } = map(bench, 16 * page);
  const { value: sum, change: read } = bench.step('read', 'read 16 new pages', () => readEach(bytes, page));
  bench.say(
    `${read.faults.minor} faults, and nothing resident: all 16 show the one page of zeroes that the kernel has for ` +
      'everybody.',
  );
  bench.record({ sum });
  const { change: written } = bench.step('write', 'write them', () => touch(bytes, page));
  bench.say(`${written.faults.minor} more faults: now each gets a page of its own.`);
  munmap(address, 16 * page);
  bench.shows(
    "Memory that was only read costs a fault, but no memory; a page is one's own from the first store on.",
  );
}

function hugePage(bench: Bench): void {
  const { page } = bench;
  bench.section('A huge page in one fault');
  const small = map(bench, HUGE);
  const { change } = bench.step('small', '2 MiB, touched page by page', () => touch(small.bytes, page));
  bench.say(`${change.faults.minor} faults for ${pages(residentIn(change, MEMORY))}.`);
  munmap(small.address, HUGE);

  const address = mapAlone(2 * HUGE);
  const start = roundAddressUp(address, HUGE);
  bench.watch(start, HUGE, MEMORY);
  const bytes = bytesAt(start, HUGE);
  if (adviseHuge(bench, start)) {
    const { change: one } = bench.step(
      'huge',
      'madvise(m, 2 MiB, MADV_HUGEPAGE); m[0] = 1',
      () => (bytes[0] = 1),
    );
    bench.say(
      one.huge > 0
        ? `${one.faults.minor} fault brought ${pages(one.huge)}, for a single byte.`
        : 'The kernel found no 2 MiB in one piece, and gave a small page: memory is fragmented here.',
    );
    bench.record({ huge: one.huge });
  }
  munmap(address, 2 * HUGE);
  bench.shows(
    'A huge page saves hundreds of faults where memory is filled, and wastes up to 2 MiB where one byte is.',
  );
}

/** Kernels are built without huge pages, and administrators switch them off. */
function adviseHuge(bench: Bench, start: bigint): boolean {
  try {
    if (readFileSync(SETTING, 'utf8').includes('[never]')) {
      bench.skip(`huge pages are off here: as root, echo madvise > ${SETTING}`);
      return false;
    }
    madvise(start, HUGE, MADV_HUGEPAGE);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'EINVAL') throw error;
    bench.skip('this kernel has no transparent huge pages');
    return false;
  }
}
