import { expect, onTestFinished } from 'vitest';
import { type Address, peek, view } from '../../lib/libc/index.js';
import * as numa from '../../lib/libnuma/index.js';
import { PAGE } from '../helpers/memory.js';
import { here, numaMaps } from './helpers.js';

/** Memory that ends with the test, which may free it itself. */
function allocated(size: number, make: (size: number) => Address = numa.numa_alloc): Address {
  const start = make(size);
  onTestFinished(() => {
    try {
      numa.numa_free(start, size);
    } catch {
      // gone already
    }
  });
  return start;
}

here.each([
  ['numa_alloc', numa.numa_alloc, /^default/],
  ['numa_alloc_onnode', (size: number) => numa.numa_alloc_onnode(size, 0), /^bind:0/],
  ['numa_alloc_local', numa.numa_alloc_local, /^local/],
  ['numa_alloc_interleaved', numa.numa_alloc_interleaved, /^interleave:0/],
  [
    'numa_alloc_interleaved_subset',
    (size: number) => numa.numa_alloc_interleaved_subset(size, [0]),
    /^interleave:0/,
  ],
])('%s gives memory with its policy, as numa_maps has it', (_, make, policy) => {
  const start = allocated(3 * PAGE, make);
  new Uint8Array(view(start, 3 * PAGE)).fill(7);
  expect(numaMaps(start)).toMatch(policy);
  expect([...peek(start + 8000n, 2)]).toEqual([7, 7]);
});
