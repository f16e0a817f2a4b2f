/** Helpers that textbooks put around malloc. They are worth knowing, and too short to be an interface. */
import type { Address } from '../address.js';
import { malloc } from '../libc/malloc.js';
import { LabError } from './errors.js';
import { bytesAt } from './words.js';

/** Allocate or die: who calls it needs no check. In C it prints and exits; here the lab ends with this error. */
export function xmalloc(size: number): Address {
  try {
    return malloc(size);
  } catch (cause) {
    throw new LabError(`out of memory: malloc(${size}) failed`, undefined, { cause });
  }
}

/** Zeroed by hand. calloc does better: it knows what the kernel has just zeroed. */
export function xzalloc(size: number): Address {
  const block = xmalloc(size);
  bytesAt(block, size).fill(0);
  return block;
}
