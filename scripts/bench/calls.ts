/**
 * What a call costs: memprobe, guarded and unguarded, beside koffi calling the same C function, in turn and in one run.
 *   npx tsx scripts/bench/calls.ts [rounds]
 * Prints the median of each in nanoseconds per call and the ratio to koffi's.
 */
import koffi from 'koffi';
import * as libc from '../../lib/libc/index.js';
import * as unsafe from '../../lib/unsafe.js';

const CALLS = 50_000;
const ROUNDS = Number(process.argv[2] ?? 200);

// Held in constants, as an importer's bindings are: a property of a large object would cost a look-up at each call.
const { getpagesize, malloc, free, madvise } = libc;
const { getpagesize: rawGetpagesize, malloc: rawMalloc, free: rawFree, madvise: rawMadvise } = unsafe;

const c = koffi.load('libc.so.6');
const koffiGetpagesize = c.func('int getpagesize()');
const koffiMalloc = c.func('void* malloc(size_t)');
const koffiFree = c.func('void free(void*)');
const koffiMadvise = c.func('int madvise(uintptr_t, size_t, int)');

const page = libc.mmap(
  libc.NULL,
  4096,
  libc.PROT_READ | libc.PROT_WRITE,
  libc.MAP_PRIVATE | libc.MAP_ANONYMOUS,
  -1,
  0,
);
const { MADV_NORMAL } = libc;

type Loop = () => void;
interface Contest {
  readonly name: string;
  readonly guarded: Loop;
  readonly unguarded: Loop;
  readonly koffi: Loop;
}

// Each loop stands for itself, so that each is optimised for itself.
const contests: Contest[] = [
  {
    name: 'getpagesize()',
    guarded: () => {
      for (let i = 0; i < CALLS; i++) getpagesize();
    },
    unguarded: () => {
      for (let i = 0; i < CALLS; i++) rawGetpagesize();
    },
    koffi: () => {
      for (let i = 0; i < CALLS; i++) koffiGetpagesize();
    },
  },
  {
    name: 'free(malloc(64))',
    guarded: () => {
      for (let i = 0; i < CALLS; i++) free(malloc(64));
    },
    unguarded: () => {
      for (let i = 0; i < CALLS; i++) rawFree(rawMalloc(64));
    },
    koffi: () => {
      for (let i = 0; i < CALLS; i++) koffiFree(koffiMalloc(64));
    },
  },
  {
    name: 'madvise(page, NORMAL)',
    guarded: () => {
      for (let i = 0; i < CALLS; i++) madvise(page, 4096, MADV_NORMAL);
    },
    unguarded: () => {
      for (let i = 0; i < CALLS; i++) rawMadvise(page, 4096, MADV_NORMAL);
    },
    koffi: () => {
      for (let i = 0; i < CALLS; i++) koffiMadvise(page, 4096, MADV_NORMAL);
    },
  },
];

function nanoseconds(loop: Loop): number {
  const start = process.hrtime.bigint();
  loop();
  return Number(process.hrtime.bigint() - start) / CALLS;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

console.log(`${'call'.padEnd(24)}guarded        unguarded      koffi     (ns a call; ratio to koffi)`);
for (const { name, guarded, unguarded, koffi: other } of contests) {
  const times: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    [guarded, unguarded, other].forEach((loop, i) => times[i]?.push(nanoseconds(loop)));
  }
  const [g, u, k] = times.map(median) as [number, number, number];
  const cell = (value: number) => `${value.toFixed(1)} (${(value / k).toFixed(2)})`.padEnd(15);
  console.log(`${name.padEnd(24)}${cell(g)}${cell(u)}${k.toFixed(1)}`);
}
libc.munmap(page, 4096);
