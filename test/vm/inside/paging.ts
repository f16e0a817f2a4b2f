/** Pages that leave memory for swap and come back. */
import assert from 'node:assert/strict';
import { MADV_PAGEOUT, MPOL_BIND, madvise, mbind, mincore, move_pages } from '../../../lib/libc/index.js';
import type { Check } from './check.js';
import { PAGE, Pages } from './memory.js';
import { memoryNodes, status } from './witness.js';

const COUNT = 256;
const ENOENT = -2;

const resident = (memory: Pages): number =>
  mincore(memory.address, memory.length).filter((byte) => (byte & 1) === 1).length;

const swappedBytes = (): number => Number.parseInt(status('VmSwap'), 10) * 1024;

export const pagingChecks: readonly Check[] = [
  {
    name: 'MADV_PAGEOUT puts every page out: mincore finds none resident, move_pages says ENOENT, VmSwap grows',
    run() {
      using memory = new Pages(COUNT);
      memory.touch();
      assert.equal(resident(memory), COUNT);
      const before = swappedBytes();
      madvise(memory.address, memory.length, MADV_PAGEOUT);
      assert.equal(resident(memory), 0);
      assert.deepEqual([...new Set(move_pages(0, memory.addresses(), null, 0))], [ENOENT]);
      assert(swappedBytes() - before >= COUNT * PAGE);
    },
  },
  {
    name: 'a page that comes back from swap lies on the node of its policy, wherever it lay before',
    run() {
      const [first = 0, second = 0] = memoryNodes();
      using memory = new Pages(COUNT);
      mbind(memory.address, memory.length, MPOL_BIND, [first], 0);
      memory.touch();
      assert.deepEqual(memory.placement(), { [first]: COUNT });
      madvise(memory.address, memory.length, MADV_PAGEOUT);
      mbind(memory.address, memory.length, MPOL_BIND, [second], 0);
      memory.touch();
      assert.deepEqual(memory.placement(), { [second]: COUNT });
    },
  },
];
