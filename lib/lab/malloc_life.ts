/** The part of the lab on malloc about blocks that change their size, and blocks of zeroes. */
import type { Address } from '../address.js';
import * as libc from '../libc/malloc.js';
import { peek, poke } from '../libc/memory.js';
import { type Bench, residentIn } from './bench.js';
import { xmalloc, xzalloc } from './idioms.js';
import { bytesAt, hex, KIB, makeRoom, MIB, pages } from './words.js';

/** Less than the mmap threshold, more than the heap usually has free between other blocks. */
const SIZE = 64 * KIB;
const HEADER = 16;
/** More than any heap has at the start of a program. */
const HOLES = 256;
const BLOCK = 'block';

export function realloc(bench: Bench): void {
  bench.section('realloc, in place and moved');
  const [block, neighbour] = adjacent();
  bench.step('shrink', 'a = realloc(a, 32 KiB)', () => libc.realloc(block, SIZE / 2));
  const back = bench.step('grow', 'a = realloc(a, 64 KiB)', () => libc.realloc(block, SIZE)).value;
  bench.say(`a was ${hex(block)} and is ${hex(back)}: the second half was still free.`);
  bench.record({ before: hex(block), after: hex(back) });
  const moved = bench.step('move', 'b = realloc(a, 96 KiB), with another block right behind', () =>
    libc.realloc(back, SIZE + SIZE / 2),
  ).value;
  bench.say(`b is ${hex(moved)}: what is in use behind it can't be moved, so all was copied elsewhere.`);
  bench.record({ before: hex(back), after: hex(moved) });
  libc.free(moved);
  libc.free(neighbour);
  mapped(bench);
  bench.shows(
    'realloc copies only where it must: it grows into free memory behind, and moves pages where it can.',
  );
}

/** Two blocks, the second right behind the first. What fills holes of the heap is kept until then: it would come again. */
function adjacent(): [block: Address, neighbour: Address] {
  const others: Address[] = [];
  let [block, neighbour] = [xmalloc(SIZE), xmalloc(SIZE)];
  while (neighbour !== block + BigInt(SIZE + HEADER) && others.length < HOLES) {
    others.push(block);
    [block, neighbour] = [neighbour, xmalloc(SIZE)];
  }
  others.forEach(libc.free);
  return [block, neighbour];
}

function mapped(bench: Bench): void {
  makeRoom(4 * MIB);
  const block = xmalloc(4 * MIB);
  bench.watch(block, 4 * MIB, BLOCK);
  bytesAt(block, 4 * MIB).fill(1);
  makeRoom(8 * MIB);
  const code = 'c = realloc(c, 8 MiB), where c is a mapping of 4 MiB';
  const { value, change } = bench.make('mremap', code, BLOCK, 8 * MIB, () => libc.realloc(block, 8 * MIB));
  bench.say(
    `Resident memory changed by ${pages(change.rss)} while 4 MiB "moved": realloc calls mremap, which moves page table ` +
      'entries instead of bytes.',
  );
  bench.record({ resident: change.rss, kept: peek(value + BigInt(4 * MIB - 1), 1)[0] ?? 0 });
  libc.free(value);
}

export function calloc(bench: Bench): void {
  bench.section('Zeroes');
  const dirty = xmalloc(1000);
  poke(dirty, new Uint8Array(1000).fill(0xee));
  libc.free(dirty);
  const again = xmalloc(1000);
  bench.note('malloc', 'a = malloc(1000); memset(a, 0xee, 1000); free(a); b = malloc(1000)');
  const left = middleOf(again);
  bench.say(
    `b is ${again === dirty ? 'the same block' : 'another block'}, and b[500] is 0x${left.toString(16)}.`,
  );
  bench.record({ same: again === dirty, byte: left });
  poke(again, new Uint8Array(1000).fill(0xee));
  libc.free(again);
  const zeroed = libc.calloc(1, 1000);
  bench.note('calloc', 'memset(b, 0xee, 1000); free(b); c = calloc(1, 1000)');
  const nonzero = peek(zeroed, 1000).filter((byte) => byte !== 0).length;
  bench.say(`Bytes of c that are not zero: ${nonzero}.`);
  bench.record({ nonzero });
  libc.free(zeroed);

  makeRoom(4 * MIB);
  const byHand = bench.make('by-hand', 'd = malloc(4 MiB); memset(d, 0, 4 MiB)', BLOCK, 4 * MIB, () =>
    xzalloc(4 * MIB),
  );
  libc.free(byHand.value);
  const known = bench.make('for-free', 'e = calloc(1, 4 MiB)', BLOCK, 4 * MIB, () => libc.calloc(1, 4 * MIB));
  libc.free(known.value);
  bench.say(
    `${pages(residentIn(byHand.change, BLOCK))} by hand, ${pages(residentIn(known.change, BLOCK))} with calloc: fresh pages come zeroed from the ` +
      'kernel, and calloc knows it.',
  );
  bench.shows(
    'malloc leaves what was there; calloc gives zeroes, and for large blocks it need not write them.',
  );
}

function middleOf(block: Address): number {
  return peek(block + 500n, 1)[0] ?? 0;
}
