/** Pages that are moved: one by one, by range and by process. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync } from 'node:fs';
import {
  type Address,
  get_mempolicy,
  MAP_SHARED,
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_F_ADDR,
  MPOL_INTERLEAVE,
  MPOL_MF_MOVE,
  MPOL_MF_MOVE_ALL,
  MPOL_MF_STRICT,
  mbind,
  memfd_create,
  migrate_pages,
  mmap,
  move_pages,
  munmap,
  PROT_READ,
  PROT_WRITE,
  poke,
} from '../../../lib/libc/index.js';
import type { Check } from './check.js';
import { PAGE, Pages, withPolicy } from './memory.js';
import { numastat, withSleeper } from './process.js';
import { anonymousPages, kernelIsAtLeast, memoryNodes } from './witness.js';

const COUNT = 32;
const EFAULT = -14;
const EACCES = -13;
const ENOENT = -2;

/** The first two nodes that have memory: where pages are, and where they shall go. */
const ends = (): [number, number] => {
  const [first = 0, second = 0] = memoryNodes();
  return [first, second];
};

/** A page of a file that this process maps twice: shared, as far as the kernel can tell. */
function withSharedPage(node: number, use: (page: Address) => void): void {
  const fd = memfd_create('shared', 0);
  ftruncateSync(fd, PAGE);
  const maps = [1, 2].map(() => mmap(0n, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  closeSync(fd);
  try {
    withPolicy(MPOL_BIND, [node], () => maps.forEach((page) => poke(page, new Uint8Array([1]))));
    const [page = 0n] = maps;
    use(page);
  } finally {
    for (const page of maps) munmap(page, PAGE);
  }
}

export const movingChecks: readonly Check[] = [
  {
    name: 'move_pages takes pages to another node and back',
    run() {
      const [home, away] = ends();
      using memory = new Pages(COUNT);
      withPolicy(MPOL_BIND, [home], () => memory.touch());
      for (const node of [away, home]) {
        const status = move_pages(0, memory.addresses(), Array<number>(COUNT).fill(node), MPOL_MF_MOVE);
        assert.deepEqual([...status], Array(COUNT).fill(node));
        assert.deepEqual(memory.placement(), { [node]: COUNT });
      }
    },
  },
  {
    name: 'move_pages spreads pages, each to a node of its own',
    run() {
      const nodes = memoryNodes();
      using memory = new Pages(COUNT);
      const wanted = Array.from({ length: COUNT }, (_, i) => nodes[(i * i) % nodes.length] ?? 0);
      memory.touch();
      assert.deepEqual([...move_pages(0, memory.addresses(), wanted, MPOL_MF_MOVE)], wanted);
      assert.deepEqual(memory.nodesOfPages(), wanted);
      memory.placement();
    },
  },
  {
    name: 'move_pages has a status for each page: moved, there already, untouched, unmapped',
    run() {
      const [home, away] = ends();
      using memory = new Pages(3);
      mbind(memory.page(0), PAGE, MPOL_BIND, [home], 0);
      mbind(memory.page(1), PAGE, MPOL_BIND, [away], 0);
      memory.touch(0, 2);
      const pages = [memory.page(0), memory.page(1), memory.page(2), 0n];
      const [moved, there, untouched, unmapped] = move_pages(
        0,
        pages,
        [away, away, away, away],
        MPOL_MF_MOVE,
      );
      assert.deepEqual([moved, there, unmapped], [away, away, EFAULT]);
      // Linux says EFAULT of an untouched page up to some 6.x, and ENOENT since.
      assert(untouched === EFAULT || untouched === ENOENT, `untouched: ${untouched}`);
    },
  },
  {
    name: 'move_pages leaves a shared page where it is, unless all are to be moved',
    run() {
      const [home, away] = ends();
      withSharedPage(home, (page) => {
        assert.deepEqual([...move_pages(0, [page], [away], MPOL_MF_MOVE)], [EACCES]);
        assert.deepEqual([...move_pages(0, [page], null, 0)], [home]);
        assert.deepEqual([...move_pages(0, [page], [away], MPOL_MF_MOVE_ALL)], [away]);
        assert.deepEqual([...move_pages(0, [page], null, 0)], [away]);
      });
    },
  },
  {
    name: 'move_pages to a node that is absent, or has no memory, is ENODEV',
    run() {
      using memory = new Pages(1);
      memory.touch();
      const absent = [0, 1, 2, 3, 4].filter((node) => !memoryNodes().includes(node));
      const before = memory.placement();
      for (const node of absent) {
        assert.throws(() => move_pages(0, memory.addresses(), [node], MPOL_MF_MOVE), {
          code: 'ENODEV',
          syscall: 'move_pages',
        });
      }
      assert.deepEqual(memory.placement(), before);
    },
  },
  {
    name: 'mbind with MPOL_MF_STRICT is EIO when a page lies elsewhere, and nothing changes',
    run() {
      const [home, away] = ends();
      using memory = new Pages(COUNT);
      withPolicy(MPOL_BIND, [home], () => memory.touch());
      assert.throws(() => mbind(memory.address, memory.length, MPOL_BIND, [away], MPOL_MF_STRICT), {
        code: 'EIO',
        syscall: 'mbind',
      });
      assert.deepEqual(memory.placement(), { [home]: COUNT });
      assert.equal(get_mempolicy(memory.address, MPOL_F_ADDR).mode, MPOL_DEFAULT);
      mbind(memory.address, memory.length, MPOL_BIND, [home], MPOL_MF_STRICT);
    },
  },
  {
    name: 'mbind with MPOL_MF_MOVE moves the pages that are there, without it only new ones follow',
    run() {
      const [home, away] = ends();
      using memory = new Pages(COUNT);
      withPolicy(MPOL_BIND, [home], () => memory.touch(0, COUNT / 2));
      mbind(memory.address, memory.length, MPOL_BIND, [away], 0);
      assert.deepEqual(memory.touch().placement(), { [home]: COUNT / 2, [away]: COUNT / 2 });
      mbind(memory.address, memory.length, MPOL_BIND, [away], MPOL_MF_MOVE);
      assert.deepEqual(memory.placement(), { [away]: COUNT });
    },
  },
  {
    name: 'mbind with MPOL_MF_MOVE leaves a shared page where it is, MPOL_MF_MOVE_ALL moves it',
    run() {
      const [home, away] = ends();
      withSharedPage(home, (page) => {
        const move = (how: number) => mbind(page, PAGE, MPOL_BIND, [away], how | MPOL_MF_STRICT);
        // Before Linux 6.7 a shared page does not count as one that could not be moved.
        if (kernelIsAtLeast(6, 7)) assert.throws(() => move(MPOL_MF_MOVE), { code: 'EIO' });
        else move(MPOL_MF_MOVE);
        assert.deepEqual([...move_pages(0, [page], null, 0)], [home]);
        move(MPOL_MF_MOVE_ALL);
        assert.deepEqual([...move_pages(0, [page], null, 0)], [away]);
      });
    },
  },
  {
    name: 'mbind with MPOL_MF_MOVE spreads over interleaved nodes what lies elsewhere',
    on: ['four'],
    run() {
      using memory = new Pages(COUNT);
      withPolicy(MPOL_BIND, [0], () => memory.touch());
      mbind(memory.address, memory.length, MPOL_INTERLEAVE, [1, 2, 3], MPOL_MF_MOVE);
      assert.deepEqual(Object.keys(memory.placement()), ['1', '2', '3']);
    },
  },
  {
    name: 'migrate_pages takes the memory of another process to another node, and numastat sees it there',
    async run() {
      const [home, away] = ends();
      await withSleeper(home, (pid) => {
        const { [home]: pages = 0, ...others } = anonymousPages(pid);
        assert(pages > 0);
        assert.deepEqual(others, {});
        assert.equal(migrate_pages(pid, [home], [away]), 0);
        assert.deepEqual(anonymousPages(pid), { [away]: pages });
        assert(numastat(pid, 'Private', away) > numastat(pid, 'Private', home));
      });
    },
  },
  {
    name: 'migrate_pages of this process keeps the order of several nodes',
    on: ['four'],
    run() {
      using memory = new Pages(COUNT * 2);
      mbind(memory.address, memory.length, MPOL_INTERLEAVE, [2, 3], 0);
      const before = memory.touch().nodesOfPages();
      migrate_pages(0, [2, 3], [0, 1]);
      assert.deepEqual(memory.nodesOfPages(), before.map((node) => node - 2)); // prettier-ignore
    },
  },
];
