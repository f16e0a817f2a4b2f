/** mmap: memory by the page, shared memory, files in memory. */
import { munmap } from '../libc/mmap.js';
import type { Bench, Lab } from './bench.js';
import { errors, mmapLimit } from './mmap_errors.js';
import { file, shared } from './mmap_shared.js';
import { hex, mapAlone } from './words.js';
import { view } from '../libc/memory.js';

const INTS = '5 ints';

export const mmapLab: Lab = {
  name: 'mmap',
  summary: 'mappings: anonymous, shared with a child, of a file, and their errors',
  memlock: mmapLimit,
  async run(bench) {
    ints(bench);
    await shared(bench);
    file(bench);
    errors(bench);
  },
};

function ints(bench: Bench): void {
  const length = 5 * Int32Array.BYTES_PER_ELEMENT;
  bench.section('Five ints take a page');
  const code = 'p = mmap(hint, 5 * sizeof(int), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)';
  const { value: address } = bench.make('map', code, INTS, length, () => mapAlone(length));
  bench.say(
    `p is ${hex(address)}. The hint leads away from everything else: next to a mapping of the same kind the ` +
      'kernel would make one of both.',
  );
  bench.record({ address: hex(address), length });

  const numbers = new Int32Array(view(address, length));
  bench.step('write', 'for (i = 0; i < 5; i++) p[i] = i', () => numbers.forEach((_, i) => (numbers[i] = i)));
  bench.say('20 bytes written, one page resident.');

  bench.step('unmap', 'munmap(p, 40)', () => munmap(address, 40));
  bench.say('40 bytes touch one page, and that page is gone: unmapping is by the page, too.');
  bench.shows('mmap and munmap round every length up to whole pages.');
}
