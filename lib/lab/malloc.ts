/** malloc: where blocks come from, how large they really are, and how they are aligned. */
import { findMapping } from '../procfs/find.js';
import { M_MMAP_THRESHOLD, mallopt } from '../libc/mallinfo.js';
import {
  aligned_alloc,
  free,
  malloc,
  malloc_usable_size,
  memalign,
  posix_memalign,
  pvalloc,
  valloc,
} from '../libc/malloc.js';
import type { Bench, Lab } from './bench.js';
import { arenas, retained } from './malloc_arenas.js';
import { calloc, realloc } from './malloc_life.js';
import { needHeapRoom } from './heap.js';
import { xmalloc } from './idioms.js';
import { hex, KIB, makeRoom, MIB } from './words.js';

const LARGE = 'large block';

export const mallocLab: Lab = {
  name: 'malloc',
  summary: "glibc's allocator: heap and mappings, sizes, alignment, what it keeps",
  async run(bench) {
    await needHeapRoom(64 * MIB);
    mallopt(M_MMAP_THRESHOLD, 128 * KIB); // where it starts; what Node freed before may have raised it
    await origins(bench);
    sizes(bench);
    alignments(bench);
    realloc(bench);
    calloc(bench);
    retained(bench);
    await arenas(bench);
  },
};

async function origins(bench: Bench): Promise<void> {
  bench.section('Where blocks come from');
  const { value: small } = bench.step('small', 'a = malloc(100)', () => xmalloc(100));
  bench.say(`a is ${hex(small)}, in ${await placeOf(small)}: cut from memory that malloc has already.`);
  bench.record({ place: await placeOf(small) });

  makeRoom(MIB);
  const { value: large } = bench.make('large', 'b = malloc(1 MiB)', LARGE, MIB, () => xmalloc(MIB));
  bench.say('From 128 KiB on (M_MMAP_THRESHOLD), what does not fit free memory is a mapping of its own.');
  bench.step('free-large', 'free(b)', () => free(large));
  bench.say('And so it goes back to the kernel as soon as it is free.');
  bench.step('free-small', 'free(a)', () => free(small));
  bench.say('A small block stays with malloc, for the next one who asks.');

  mallopt(M_MMAP_THRESHOLD, 2 * MIB);
  const { value: same } = bench.step('threshold', 'mallopt(M_MMAP_THRESHOLD, 2 MiB); c = malloc(1 MiB)', () =>
    xmalloc(MIB),
  );
  bench.say(`The same size comes from ${await placeOf(same)} now.`);
  bench.record({ place: await placeOf(same) });
  free(same);
  mallopt(M_MMAP_THRESHOLD, 128 * KIB);
  bench.shows(
    'Small blocks are pieces of the heap, and stay there when they are freed; large ones come and go whole.',
  );
}

async function placeOf(address: bigint): Promise<string> {
  const path = (await findMapping(address))?.path ?? '';
  return path === '' ? 'an anonymous mapping' : path;
}

function sizes(bench: Bench): void {
  bench.section('What is usable of a block');
  bench.note('sizes', 'malloc_usable_size(malloc(n))');
  const rows = [0, 1, 24, 25, 40, 41, 100, 1000, 4096, 100_000, 16 * MIB].map((asked) => {
    const block = malloc(asked);
    const usable = malloc_usable_size(block);
    free(block);
    bench.record({ [asked]: usable });
    return [asked.toLocaleString('en-US'), usable.toLocaleString('en-US')];
  });
  bench.table(['asked for', 'usable'], rows);
  bench.say(
    'Blocks begin every 16 bytes, and 8 of each belong to malloc: 24, 40, 56 ... are usable, 24 at least.',
  );
  bench.shows(
    "A block is as long as was asked for, or up to 15 bytes longer; one that is a mapping reaches to its last page's end.",
  );
}

function alignments(bench: Bench): void {
  const { page } = bench;
  const ways: [string, number, () => bigint][] = [
    ['malloc(100)', 16, () => malloc(100)],
    ['posix_memalign(64, 100)', 64, () => posix_memalign(64, 100)],
    ['memalign(256, 100)', 256, () => memalign(256, 100)],
    ['aligned_alloc(1024, 2048)', 1024, () => aligned_alloc(1024, 2048)],
    ['valloc(100)', page, () => valloc(100)],
    ['pvalloc(100)', page, () => pvalloc(100)],
  ];
  bench.section('Alignment');
  bench.note('alignments', 'the same question in six ways');
  const rows = ways.map(([code, promised, allocate]) => {
    const block = allocate();
    const usable = malloc_usable_size(block);
    free(block);
    const rest = Number(block % BigInt(promised));
    bench.record({ [code]: rest, [`${code} usable`]: usable });
    return [code, String(promised), hex(block), String(rest), usable.toLocaleString('en-US')];
  });
  bench.table(['', 'promised', 'address', 'rest', 'usable'], rows);
  bench.say('pvalloc rounds the size up to whole pages as well; malloc gives what any C type needs.');
  bench.shows(
    'posix_memalign and aligned_alloc are the ones to use; valloc, pvalloc and memalign are older and obsolete.',
  );
}
