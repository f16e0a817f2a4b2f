/** What is readable of a damaged heap, in a new file. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { checksum } from '../../lib/heap/header.js';
import { Heap } from '../../lib/heap/index.js';
import { salvage } from '../../lib/heap/salvage.js';
import { code, doctored, owned, scratch } from './support.js';

const ARENA = 4096 + 16384; // of a heap with a limit of a MiB

/** A heap with a root for each of its ten blocks, every byte of which is its number. */
function made(): { path: string; pointers: number[] } {
  const path = scratch();
  const heap = Heap.create(path, { name: 'ten', limit: 2 ** 20 });
  const pointers = Array.from({ length: 10 }, (_, i) => {
    const ptr = heap.malloc(1000);
    heap.view(ptr).fill(i);
    heap.roots.set(`root ${i}`, ptr, 'bytes');
    return ptr;
  });
  heap.close();
  return { path, pointers };
}

/** The damage, and how many of the ten are there again, by their roots. */
const damages: readonly [string, (bytes: Buffer, pointers: number[]) => Buffer | void, number][] = [
  ['whose state is overwritten', (bytes) => void bytes.fill(0xff, ARENA, ARENA + 3000), 10],
  [
    'of which one block has lost its header',
    (bytes, pointers) => void bytes.fill(0xff, ARENA + pointers[4]! - 4, ARENA + pointers[4]!),
    9,
  ],
  [
    'whose live map has a wrong bit',
    (bytes, pointers) => void (bytes[4096 + Math.floor((pointers[4]! / 8 + 50) / 8)]! ^= 16),
    10,
  ],
  ['whose header lies about everything', (bytes) => void bytes.fill(0x5a, 0, 128), 10],
  ['whose header is zeroes', (bytes) => void bytes.fill(0, 0, 4096), 10],
  ['of whose header one bit is flipped', (bytes) => void (bytes[4 * 7]! ^= 4), 10],
  [
    'whose header and state are gone',
    (bytes) => void bytes.fill(0xff, ARENA, ARENA + 3000).fill(0, 0, 4 * 8),
    10,
  ],
  ['whose list of roots has lost its beginning', (bytes) => void bytes.writeInt32LE(3, 4 * 35), 10],
  ['that is truncated in the middle', (bytes, pointers) => bytes.subarray(0, ARENA + pointers[5]!), 5],
];

it.each(damages)('a heap %s is salvaged as far as it can be read', (_, damage, least) => {
  const { path, pointers } = made();
  doctored(path, (bytes) => damage(bytes, pointers));
  const before = readFileSync(path);
  const { roots } = salvage(path, `${path}.saved`);
  const saved = owned(Heap.attach(`${path}.saved`));
  saved.check();
  const whole = pointers.filter(
    (ptr, i) =>
      saved.roots.get(`root ${i}`, 'bytes') === ptr && saved.view(ptr, 1000).every((byte) => byte === i),
  );
  expect(whole.length).toBeGreaterThanOrEqual(least);
  expect(roots).toBe(saved.roots.list().length);
  saved.free(saved.malloc(5000));
  saved.check();
  expect(Buffer.compare(readFileSync(path), before)).toBe(0);
  expect(code(() => salvage(path, `${path}.saved`))).toBe('EEXIST');
});

it('what never was a heap is refused', () => {
  const path = scratch();
  for (const bytes of ['a letter', Buffer.alloc(100_000), Buffer.alloc(100_000, 'mprbheap')]) {
    writeFileSync(path, bytes);
    expect(code(() => salvage(path, `${path}.saved`))).toBe('ERR_MEMPROBE_BAD_HEAP');
    expect(existsSync(`${path}.saved`)).toBe(false);
  }
});

it('a heap of another version is refused, not taken for damaged', () => {
  const { path } = made();
  doctored(path, (bytes) => {
    bytes.writeInt32LE(2, 4 * 3);
    bytes.writeInt32LE(
      checksum(new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 512)), 0, 27),
      4 * 27,
    );
  });
  expect(code(() => salvage(path, `${path}.saved`))).toBe('ERR_MEMPROBE_BAD_HEAP');
});
