/** The other process of the lab on mcheck: writes one byte past the end of a block, and frees it. */
import { free } from '../libc/malloc.js';
import { poke } from '../unsafe.js';
import { xmalloc } from './idioms.js';

const SIZE = 24;
const block = xmalloc(SIZE);
poke(block + BigInt(SIZE), Uint8Array.of(0xff));
free(block);
