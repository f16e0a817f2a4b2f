import { expect, onTestFinished, test } from 'vitest';
import {
  type Address,
  free,
  get_mempolicy,
  MAP_FIXED_NOREPLACE,
  mmap,
  mprotect,
  MPOL_BIND,
  MPOL_F_ADDR,
  mremap,
  munmap,
  peek,
  PROT_READ,
  view,
} from '../../lib/libc/index.js';
import * as numa from '../../lib/libnuma/index.js';
import * as unsafe from '../../lib/unsafe.js';
import { expectNotOwned, expectRangeError, expectRefused, expectThrows, thrown } from '../helpers/errors.js';
import { ANON, anonymous, hole, PAGE, page, RW } from '../helpers/memory.js';
import { mappingAt, status } from '../helpers/witness.js';
import { absentNode, describeLibnuma, numaMaps, program } from './helpers.js';

const { numa_free, numa_realloc } = numa;

/** Memory that ends with the test, which may free it itself. */
function allocated(size: number, make: (size: number) => Address = numa.numa_alloc): Address {
  const start = make(size);
  onTestFinished(() => {
    try {
      numa_free(start, size);
    } catch {
      // gone already
    }
  });
  return start;
}

describeLibnuma('allocation', () => {
  test.each([
    ['numa_alloc', numa.numa_alloc, /^default/],
    ['numa_alloc_onnode', (size: number) => numa.numa_alloc_onnode(size, 0), /^bind:0/],
    ['numa_alloc_local', numa.numa_alloc_local, /^local/],
    ['numa_alloc_interleaved', numa.numa_alloc_interleaved, /^interleave:/],
    [
      'numa_alloc_interleaved_subset',
      (size: number) => numa.numa_alloc_interleaved_subset(size, new Set([0])),
      /^interleave:0/,
    ],
  ])('%s gives memory with its policy, as numa_maps has it', (_, make, policy) => {
    const start = allocated(3 * PAGE, make);
    new Uint8Array(view(start, 3 * PAGE)).fill(7);
    expect(numaMaps(start)).toMatch(policy);
    expect([...peek(start + 8000n, 2)]).toEqual([7, 7]);
  });

  test('numa_alloc touches every page, the others none', () => {
    const resident = (start: Address): number[] =>
      [...numa.numa_move_pages(0, [start, page(start, 1)], null, 0)].map((status) => Math.sign(status));
    expect(resident(allocated(2 * PAGE))).toEqual([0, 0]);
    expect(resident(allocated(2 * PAGE, numa.numa_alloc_local))).toEqual([-1, -1]);
  });

  test('what mmap refuses throws, and what libnuma only complains of as well, with nothing left behind', () => {
    expectThrows('ENOMEM', 'numa_alloc_local', () => numa.numa_alloc_local(2 ** 52));
    expectThrows('EINVAL', 'numa_alloc', () => numa.numa_alloc(0));
    const none = numa.numa_allocate_nodemask();
    const size = 2 ** 28; // more than V8 maps meanwhile
    const before = status('VmSize');
    expectThrows('EINVAL', 'numa_alloc_interleaved_subset', () =>
      numa.numa_alloc_interleaved_subset(size, none),
    );
    expect(status('VmSize') - before).toBeLessThan(size / 1024);
    expect(thrown(() => numa.numa_alloc_interleaved_subset(PAGE, none)).message).toContain('(mbind)');
  });

  test('a node that is not there names the parameter', () => {
    for (const node of [absentNode(), -1, 2 ** 31, 0.5]) {
      expectRangeError('node', () => numa.numa_alloc_onnode(PAGE, node));
      expectRangeError('node', () => numa.numa_tonode_memory(anonymous(1), PAGE, node));
    }
    expectRangeError('nodes', () => numa.numa_alloc_interleaved_subset(PAGE, [0, absentNode()]));
    expectRangeError('size', () => numa.numa_alloc(-1));
  });
});

describeLibnuma('numa_free', () => {
  test('unmaps, and detaches the views before', () => {
    const start = allocated(5000, (size) => numa.numa_alloc_onnode(size, 0));
    const bytes = new Uint8Array(view(start, 5000));
    numa_free(start, 5000);
    expect(bytes.length).toBe(0);
    expect(mappingAt(start)?.perms ?? '---p').toBe('---p'); // reserved until the view is collected
    expectNotOwned('numa_free', () => numa_free(start, 5000));
  });

  test('wants the size that was asked for, and the start', () => {
    const start = allocated(2 * PAGE);
    for (const size of [0, PAGE, 2 * PAGE - 1, 3 * PAGE])
      expect(thrown(() => numa_free(start, size)).message).toContain('"size"');
    expect(thrown(() => numa_free(start, PAGE))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expectNotOwned('numa_free', () => numa_free(page(start, 1), PAGE));
    numa_free(start, 2 * PAGE);
  });

  test('wants memory of numa_alloc, and all of it', () => {
    expectNotOwned('numa_free', () => numa_free(anonymous(1), PAGE));
    expectNotOwned('numa_free', () => numa_free(0n, 0));
    const start = allocated(3 * PAGE);
    munmap(page(start, 1), PAGE);
    expectNotOwned('numa_free', () => numa_free(start, 3 * PAGE));
    const other = mmap(page(start, 1), PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
    expectNotOwned('numa_free', () => numa_free(start, 3 * PAGE));
    expect(view(other, PAGE).byteLength).toBe(PAGE);
    munmap(start, 3 * PAGE);
  });

  test('throws what munmap says, and the memory stays ours', async () => {
    expect(
      await program(`
        const start = numa.numa_alloc_local(4096);
        const sealed = outcome(() => libc.mseal(start, 4096, 0));
        say(sealed === 'ok' ? [outcome(() => numa.numa_free(start, 4096)), libc.view(start, 4096).byteLength] : ['EPERM', 4096]);`),
    ).toEqual([['EPERM', 4096]]);
  });

  test('two neighbours of one size are not one', () => {
    const start = allocated(2 * PAGE);
    const next = allocated(2 * PAGE);
    const [low, high] = start < next ? [start, next] : [next, start];
    if (high - low === BigInt(2 * PAGE)) expectNotOwned('numa_free', () => numa_free(page(low, 1), 2 * PAGE));
    numa_free(low, 2 * PAGE);
    numa_free(high, 2 * PAGE);
  });

  test('free refuses it, munmap takes it, and mremap makes a mapping of it like any other', () => {
    const start = allocated(PAGE);
    expectNotOwned('free', () => free(start));
    munmap(start, PAGE);
    const moved = mremap(allocated(PAGE), PAGE, 4 * PAGE, 1);
    expectNotOwned('numa_free', () => numa_free(moved, 4 * PAGE));
    munmap(moved, 4 * PAGE);
  });

  test('EBUSY while another thread has a view', async () => {
    expect(
      await program(`
        const start = numa.numa_alloc(4096);
        new Worker(\`const { parentPort } = require('node:worker_threads');
          const view = require(process.env.ADDON).libc.view(\${start}n, 4096);
          parentPort.postMessage(view.byteLength); parentPort.once('message', () => process.exit());\`, { eval: true })
          .once('message', function (length) {
            say([length, outcome(() => numa.numa_free(start, 4096))]);
            this.postMessage(0);
          }).once('exit', () => say(outcome(() => numa.numa_free(start, 4096))));`),
    ).toEqual([[4096, 'EBUSY'], 'ok']);
  });

  test('of memprobe/unsafe asks nobody', () => {
    const start = unsafe.numa_alloc(PAGE);
    expectNotOwned('numa_free', () => numa_free(start, PAGE));
    unsafe.numa_free(start, PAGE);
    expect(mappingAt(start)).toBeUndefined();
  });
});

describeLibnuma('numa_realloc', () => {
  test('keeps contents and policy, and detaches the views', () => {
    const old = allocated(PAGE, (size) => numa.numa_alloc_onnode(size, 0));
    const bytes = new Uint8Array(view(old, PAGE)).fill(9);
    const start = numa_realloc(old, PAGE, 300 * PAGE);
    expect(bytes.length).toBe(0);
    expect(peek(start, 1)[0]).toBe(9);
    expect(get_mempolicy(page(start, 299), MPOL_F_ADDR)).toEqual({ mode: MPOL_BIND, nodes: [0] });
    expect(thrown(() => numa_free(start, PAGE)).message).toContain('1228800 bytes');
    numa_free(start, 300 * PAGE);
  });

  test('keeps the protection: no view of what can’t be written', () => {
    for (const pages of [1, 4]) {
      const old = allocated(2 * PAGE);
      mprotect(old, 2 * PAGE, PROT_READ);
      const start = numa_realloc(old, 2 * PAGE, pages * PAGE);
      expectThrows('EACCES', 'view', () => view(start, PAGE));
      numa_free(start, pages * PAGE);
    }
  });

  test('refuses another size or address, and a failure leaves all as it was', () => {
    const start = allocated(2 * PAGE);
    expect(thrown(() => numa_realloc(start, PAGE, PAGE)).message).toContain('"oldSize"');
    expectNotOwned('numa_realloc', () => numa_realloc(anonymous(1), PAGE, PAGE));
    expectThrows('EINVAL', 'numa_realloc', () => numa_realloc(start, 2 * PAGE, 0));
    expectThrows('ENOMEM', 'numa_realloc', () => numa_realloc(start, 2 * PAGE, 2 ** 46));
    numa_free(start, 2 * PAGE);
  });
});

describeLibnuma('policy for memory that is there', () => {
  test('numa_tonode_memory binds, numa_interleave_memory interleaves, numa_setlocal_memory makes it local', () => {
    const start = anonymous(1);
    for (const [act, policy] of [
      [() => numa.numa_tonode_memory(start, PAGE, 0), /^bind:0/],
      [() => numa.numa_interleave_memory(start, PAGE, [0]), /^interleave:0/],
      [() => numa.numa_tonodemask_memory(start, PAGE, numa.numa_all_nodes_ptr), /^bind:/],
      [() => numa.numa_setlocal_memory(start, PAGE), /^local/],
    ] as const) {
      act();
      expect(numaMaps(start)).toMatch(policy);
    }
  });

  test('a hole is EFAULT, and what is off a page EINVAL', () => {
    expectThrows('EFAULT', 'numa_setlocal_memory', () => numa.numa_setlocal_memory(hole(1), PAGE));
    expectThrows('EINVAL', 'numa_interleave_memory', () =>
      numa.numa_interleave_memory(anonymous(1) + 1n, PAGE, [0]),
    );
  });

  test('numa_set_bind_policy(0) makes numa_tonode_memory prefer', async () => {
    expect(
      await program(`
        const at = anonymous(4096);
        numa.numa_set_bind_policy(0); numa.numa_tonode_memory(at, 4096, 0); say(libc.get_mempolicy(at, c.MPOL_F_ADDR).mode !== c.MPOL_BIND);
        numa.numa_set_bind_policy(1); numa.numa_tonode_memory(at, 4096, 0); say(libc.get_mempolicy(at, c.MPOL_F_ADDR).mode === c.MPOL_BIND);`),
    ).toEqual([true, true]);
  });

  test('numa_police_memory touches every page, of ours that is accessible', () => {
    const start = anonymous(3);
    numa.numa_police_memory(start, 3 * PAGE);
    expect(
      [...numa.numa_move_pages(0, [start, page(start, 2)], null, 0)].every((status) => status >= 0),
    ).toBe(true);
    expectNotOwned('numa_police_memory', () => numa.numa_police_memory(hole(1), PAGE));
    const none = mmap(0n, PAGE, 0, ANON, -1, 0);
    onTestFinished(() => munmap(none, PAGE));
    expectThrows('EACCES', 'numa_police_memory', () => numa.numa_police_memory(none, 1));
    expect(RW).toBe(3);
  });

  test('numa_set_mempolicy_home_node, or what is missing', () => {
    const start = allocated(PAGE, (size) => numa.numa_alloc_onnode(size, 0));
    try {
      numa.numa_set_mempolicy_home_node(start, PAGE, 0, 0);
    } catch {
      expectRefused('ERR_MEMPROBE_UNSUPPORTED', 'numa_set_mempolicy_home_node', () =>
        numa.numa_set_mempolicy_home_node(start, PAGE, 0, 0),
      );
    }
  });
});

describeLibnuma('weighted interleave', () => {
  test('is there, or says since when', () => {
    for (const name of ['numa_alloc_weighted_interleaved'] as const) {
      try {
        numa_free(numa[name](PAGE), PAGE);
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^(ERR_MEMPROBE_UNSUPPORTED|EINVAL)$/) });
      }
    }
  });
});
