/** What is no whole heap is refused with the reason, and not touched; what fills the disk is an error. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { checksum } from '../../lib/heap/header.js';
import { Heap } from '../../lib/heap/index.js';
import { random } from '../allocator/model.js';
import { thrown } from '../helpers/errors.js';
import { doctored, owned, root, scratch } from './support.js';

/** A heap that was closed well, with a block of `bytes`. */
function made(bytes = 1000): string {
  const path = scratch();
  const heap = Heap.create(path, { limit: 2 ** 20 });
  heap.malloc(10);
  heap.roots.set('it', heap.malloc(bytes));
  heap.close();
  return path;
}

/** Rewrites a fixed word of the header so that only its meaning is wrong. */
const word = (index: number, value: number) => (bytes: Buffer) => {
  bytes.writeInt32LE(value, 4 * index);
  const words = new Int32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 512));
  bytes.writeInt32LE(checksum(words, 0, 27), 4 * 27);
};

const cases: readonly [string, (bytes: Buffer) => Buffer | void, RegExp][] = [
  ['text', () => Buffer.from('this is no heap, but a letter\n'), /is no heap of memprobe/],
  ['an empty file', () => Buffer.alloc(0), /is no heap of memprobe/],
  ['zeroes', (bytes) => Buffer.alloc(bytes.length), /is no heap of memprobe/],
  ['half a header', (bytes) => bytes.subarray(0, 100), /truncated: its header has 100 bytes of 512/],
  [
    'a truncated heap',
    (bytes) => bytes.subarray(0, bytes.length - 1),
    /is truncated: \d+ bytes are left of \d+/,
  ],
  ['another byte order', (bytes) => void word(2, 0x04030201)(bytes), /byte order/],
  ['an old version', (bytes) => void word(3, 0)(bytes), /has version 0, and this memprobe knows 1/],
  ['a later version', (bytes) => void word(3, 2)(bytes), /has version 2/],
  ['another header size', (bytes) => void word(4, 8192)(bytes), /header of 8192 bytes/],
  ['another page size', (bytes) => void word(5, 65536)(bytes), /has pages of 65536 bytes, and this machine/],
  ['a length beyond the limit', (bytes) => void bytes.writeInt32LE(5000, 4 * 33), /beyond its limit/],
];

it.each(cases)('%s is refused in every mode, and stays as it is', (_, change, reason) => {
  const path = made();
  doctored(path, change);
  const before = readFileSync(path);
  for (const mode of ['write', 'read', 'copy-on-write'] as const) {
    const error = thrown(() => Heap.attach(path, { mode }));
    expect(error).toMatchObject({ code: 'ERR_MEMPROBE_BAD_HEAP', message: expect.stringMatching(reason) });
    expect(error.message).toContain(path);
  }
  expect(Buffer.compare(readFileSync(path), before)).toBe(0);
});

it('a directory and a device are refused', () => {
  const path = scratch();
  mkdirSync(path);
  expect(thrown(() => Heap.attach(path))).toMatchObject({ code: 'EISDIR' });
  expect(thrown(() => Heap.attach('/dev/null'))).toMatchObject({ code: 'ERR_MEMPROBE_BAD_HEAP' });
});

it('a flipped bit in the header or the state is found at attach', () => {
  const path = made();
  const whole = readFileSync(path);
  const arenaAt = 4096 + 16384;
  const next = random(5);
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(whole);
    // The words of the header that are in use, and the allocator's state.
    const at = i % 2 === 0 ? next(4 * 74) : arenaAt + next(4000);
    if (at >= 28 * 4 && at < 33 * 4) continue; // between the two
    if (at >= 34 * 4 && at < 35 * 4) continue; // who wrote last
    bytes[at]! ^= 1 << next(8);
    writeFileSync(path, bytes);
    expect(() => Heap.attach(path).close(), `byte ${at}`).toThrow(/BAD_HEAP|HEAP_CORRUPT/);
  }
});

it('a flipped bit in a block’s header is found by check, and it says where', () => {
  const path = made();
  const heap = Heap.attach(path);
  const ptr = heap.roots.get('it');
  heap.close();
  doctored(path, (bytes) => void (bytes[4096 + 16384 + ptr - 3]! ^= 4));
  const damaged = owned(Heap.attach(path));
  const error = thrown(() => damaged.check());
  expect(error).toMatchObject({ code: 'ERR_MEMPROBE_HEAP_CORRUPT' });
  expect(error.message).toContain(`0x${ptr.toString(16)}`);
});

it('a file that is truncated while it is attached faults the heap instead of killing Node', () => {
  const path = made(500_000);
  const heap = Heap.attach(path);
  const bytes = heap.view(heap.roots.get('it'));
  truncateSync(path, 4096);
  expect(bytes[400_000]).toBe(0);
  expect(thrown(() => heap.flush())).toMatchObject({ code: 'ERR_MEMPROBE_FAULTED' });
  heap.close();
});

it('a full disk is ENOSPC from malloc, and the heap goes on', (context) => {
  const directory = dirname(scratch());
  const inside = ['-m', 'sh', '-c'];
  const mount = `mount -t tmpfs -o size=1m,mode=700 memprobe '${directory}'`;
  const allowed = spawnSync('unshare', [...inside, mount], { stdio: 'ignore' }).status === 0;
  if (!allowed) return context.skip('mounting in a namespace of its own is not permitted here');
  const program = `
    import { Heap } from '${root}dist/heap/index.js';
    const heap = Heap.create('${directory}/heap');
    const pointers = [];
    let error;
    try { for (;;) { const ptr = heap.malloc(10000); heap.view(ptr).fill(1); pointers.push(ptr); } } catch (caught) { error = caught; }
    heap.check();
    for (const ptr of pointers) heap.free(ptr);
    const again = heap.malloc(20000);
    heap.check();
    heap.close();
    console.log(JSON.stringify([error.code, error.errno, error.syscall, pointers.length > 50, again !== 0]));`;
  const node = [process.execPath, '--input-type=module', '-e', program];
  const output = execFileSync('unshare', [...inside, `${mount} && exec "$@"`, 'sh', ...node], {
    encoding: 'utf8',
  });
  expect(JSON.parse(output)).toEqual(['ENOSPC', -28, 'allocate_file', true, true]);
});
