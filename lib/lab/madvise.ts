/** Four MiB from malloc, and one MiB of them back to the kernel. */
import { free } from '../libc/malloc.js';
import { M_MMAP_THRESHOLD, mallopt } from '../libc/mallinfo.js';
import { MADV_DONTNEED, madvise } from '../libc/madvise.js';
import { peek } from '../libc/memory.js';
import { type Bench, type Lab, residentIn, sizeIn } from './bench.js';
import { xmalloc } from './idioms.js';
import { bytesAt, hex, KIB, makeRoom, MIB, pages, roundAddressUp } from './words.js';

const BLOCK = 'block';

export const madviseLab: Lab = {
  name: 'madvise',
  summary: 'memory comes with the first touch, and goes with MADV_DONTNEED',
  run(bench) {
    mallopt(M_MMAP_THRESHOLD, 128 * KIB); // where it starts; what Node freed before may have raised it
    const block = allocate(bench);
    giveBack(bench, block);
    free(block);
  },
};

function allocate(bench: Bench): bigint {
  bench.section('A block is only addresses until it is written');
  makeRoom(4 * MIB);
  const { value: block, change } = bench.make('malloc', 'p = malloc(4 MiB)', BLOCK, 4 * MIB, () =>
    xmalloc(4 * MIB),
  );
  bench.say(
    `p is ${hex(block)}. A block of this size is a mapping of its own: ${pages(sizeIn(change, BLOCK))}, 4 MiB and one page, ` +
      "for malloc's 16-byte header has to stand before p. Writing it made the first page resident. (A page without " +
      'access was mapped above it beforehand: the kernel makes one mapping of neighbours of the same kind.)',
  );
  bench.record({ address: hex(block), pages: sizeIn(change, BLOCK), resident: residentIn(change, BLOCK) });

  const bytes = bytesAt(block, 4 * MIB);
  const written = bench.step('write', 'memset(p, 1, 4 MiB)', () => bytes.fill(1));
  bench.say(`Now it is resident: ${pages(residentIn(written.change, BLOCK))} more.`);
  bench.shows(
    'malloc takes addresses; it is the first touch of each page that takes memory, 1,024 pages for 4 MiB.',
  );
  return block;
}

function giveBack(bench: Bench, block: bigint): void {
  bench.section('Pages go back, addresses stay');
  const from = roundAddressUp(block, bench.page);
  bench.note('round', 'q = p rounded up to a page');
  bench.say(
    `q is ${hex(from)}, ${(from - block).toLocaleString('en-US')} bytes behind p. madvise wants a page boundary: only whole pages can go, and ` +
      'the one that p begins in holds the header too.',
  );
  bench.record({ skipped: Number(from - block) });

  const { change } = bench.step('dontneed', 'madvise(q, 1 MiB, MADV_DONTNEED)', () =>
    madvise(from, MIB, MADV_DONTNEED),
  );
  bench.say(
    `Resident: ${pages(-residentIn(change, BLOCK))} less. Address space: ${pages(sizeIn(change, BLOCK))} less; ` +
      'the block is as long as before, and still ours.',
  );
  const [gone, last] = [peek(from, 1)[0] ?? 0, peek(from + BigInt(MIB), 1)[0] ?? 0];
  bench.note('read', 'q[0], q[1 MiB]');
  bench.say(
    `They are ${gone} and ${last}: what was given back reads as zero, what lies behind it is untouched.`,
  );
  bench.record({ gone, last });
  bench.shows(
    'MADV_DONTNEED gives 256 pages back at once and keeps the mapping; the next touch brings zeroed pages.',
  );
}
