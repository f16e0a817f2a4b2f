/** Heaps of 4 GiB and more, in sparse files: on the disk is what is touched alone. */
import { constants } from 'node:buffer';
import { closeSync, openSync, readSync, statSync, truncateSync, writeSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DIRTY, LENGTH, plan } from '../../lib/heap/header.js';
import { Heap } from '../../lib/heap/index.js';
import { code, elsewhere, owned, scratch } from './support.js';

const GIB = 2 ** 30;
const PIECE = 500 * 2 ** 20;

/** A heap that has all of its limit, as a hole, and was not closed. */
function sparse(bytes: number): string {
  const path = scratch();
  Heap.create(path, { limit: bytes }).close();
  truncateSync(path, plan(bytes, '', 0n).arenaAt + bytes);
  const words = Int32Array.of(1, bytes / 4096);
  expect(LENGTH).toBe(DIRTY + 1);
  const fd = openSync(path, 'r+');
  writeSync(fd, new Uint8Array(words.buffer), 0, 8, 4 * DIRTY);
  closeSync(fd);
  return path;
}

/** As many large blocks as there is room for, each with its number at both ends. */
function filled(heap: Heap): number[] {
  const pointers: number[] = [];
  for (let ptr = heap.malloc(PIECE); ptr !== 0; ptr = heap.malloc(PIECE)) {
    pointers.push(ptr);
    const bytes = heap.view(ptr, PIECE);
    bytes[0] = bytes[PIECE - 1] = pointers.length;
  }
  return pointers;
}

/** Fills it up to the end, where blocks are made, moved and freed as anywhere; another process finds them. */
function work(bytes: number): void {
  const path = sparse(bytes);
  const heap = owned(Heap.attach(path));
  expect(heap.stats()).toMatchObject({ limit: bytes, length: bytes });
  const pointers = filled(heap);
  expect(pointers.length).toBe(Math.floor(bytes / PIECE));
  const last = pointers.at(-1) ?? 0;
  expect(last).toBeGreaterThan(bytes - 2 * PIECE);
  heap.roots.set('last', last, 'piece');
  const small = heap.malloc(bytes - last - PIECE - 100);
  expect(small).toBeGreaterThan(last);
  heap.free(small);
  expect(() => heap.free(small)).toThrow();
  heap.free(pointers[0] ?? 0);
  expect(heap.realloc(pointers[1] ?? 0, PIECE / 2)).toBe(pointers[1]);
  heap.check();
  heap.close();
  expect(statSync(path).blocks * 512).toBeLessThan(300e6);
  const look = `
    const heap = Heap.attach(path);
    const ptr = heap.roots.get('last', 'piece');
    const bytes = heap.view(ptr, ${PIECE});
    console.log(heap.repaired, ptr, bytes[0], bytes[${PIECE} - 1]);
    heap.free(ptr);
    heap.close();`;
  expect(elsewhere(path, look)).toBe(`false ${last} ${pointers.length} ${pointers.length}`);
}

it('a heap of 4 GiB is used up to its end', () => work(4 * GIB));

it('a heap of 6 GiB is used up to its end', (context) => {
  if (constants.MAX_LENGTH < 6 * GIB) return context.skip('an ArrayBuffer of this Node has 4 GiB at most');
  work(6 * GIB);
});

it('a heap that is longer than an ArrayBuffer can be here is refused, and stays as it is', (context) => {
  if (constants.MAX_LENGTH >= 6 * GIB) return context.skip('an ArrayBuffer of this Node can have 16 GiB');
  const path = sparse(6 * GIB);
  const head = (): Buffer => {
    const bytes = Buffer.alloc(4096);
    const fd = openSync(path, 'r');
    readSync(fd, bytes, 0, bytes.length, plan(6 * GIB, '', 0n).arenaAt);
    closeSync(fd);
    return bytes;
  };
  const before = head();
  for (const mode of ['write', 'read', 'copy-on-write'] as const)
    expect(code(() => Heap.attach(path, { mode }))).toBe('ERR_MEMPROBE_UNSUPPORTED');
  expect(Buffer.compare(head(), before)).toBe(0);
});
