/** `memprobe heap`: what it says of whole, crashed, busy and damaged heaps, and what it saves of them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Heap } from '../../lib/heap/index.js';
import { memprobe } from '../helpers/command.js';
import { doctored, kill, owned, scratch, waiting } from '../heap/support.js';

const ARENA = 4096 + 16384; // of a heap with a limit of a MiB

const show = (...args: string[]) => memprobe(['heap', ...args], { env: { NO_COLOR: '1', COLUMNS: '80' } });

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

it('shows header, roots, figures and a picture of a whole heap, in 80 columns, and leaves it as it is', async () => {
  const { path, pointers } = made();
  const before = readFileSync(path);
  const { code, stdout } = await show(path);
  expect(code).toBe(0);
  expect(stdout).toContain("heap 'ten'");
  expect(stdout).toContain('Closed well, and it is whole');
  expect(stdout).toContain(`0x${pointers[9]?.toString(16)}`);
  expect(
    Math.max(
      ...stdout
        .split('\n')
        .slice(1)
        .map((line) => line.length),
    ),
  ).toBeLessThanOrEqual(80);
  const json: unknown = JSON.parse((await show(path, '--json')).stdout);
  expect(json).toMatchObject({
    state: 'closed',
    header: { name: 'ten', limit: 2 ** 20 },
    stats: { usedBlocks: 20, roots: 10 },
  });
  expect(Buffer.compare(readFileSync(path), before)).toBe(0);
});

it('tells a heap that is being written from one whose writer was killed', async () => {
  const path = scratch();
  const child = await waiting(
    path,
    "const heap = Heap.create(path); heap.roots.set('it', heap.malloc(100));",
  );
  const busy = await show(path);
  expect(busy.code).toBe(0);
  expect(busy.stdout).toContain(`Process ${child.pid} has it open for writing`);
  await kill(child);
  const crashed = await show(path);
  expect(crashed.code).toBe(0);
  expect(crashed.stdout.replace(/\s+/g, ' ')).toContain(
    'did not close it; with what the next one will repair, and it is whole',
  );
});

it('what is no heap is an error, and what is damaged says how to save it', async () => {
  const path = scratch();
  writeFileSync(path, 'text');
  expect(await show(path)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is no heap of memprobe'),
  });
  const heap = made();
  doctored(heap.path, (bytes) => void (bytes[ARENA + 8]! ^= 1));
  expect(await show(heap.path)).toMatchObject({ code: 1, stderr: expect.stringContaining('--salvage') });
});

it.each<[string, (bytes: Buffer, pointers: number[]) => Buffer | void, number]>([
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
  ['that is truncated in the middle', (bytes, pointers) => bytes.subarray(0, ARENA + pointers[5]!), 5],
])('a heap %s is salvaged as far as it can be read', async (_, damage, least) => {
  const { path, pointers } = made();
  doctored(path, (bytes) => damage(bytes, pointers));
  const before = readFileSync(path);
  const { code, stdout, stderr } = await show(path, '--salvage', `${path}.saved`);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('blocks');
  const saved = owned(Heap.attach(`${path}.saved`));
  saved.check();
  const whole = pointers.filter((ptr, i) => {
    const name = `root ${i}`;
    return saved.roots.get(name) === ptr && saved.view(ptr, 1000).every((byte) => byte === i);
  });
  const live = [...saved.walk()].filter(({ state }) => state === 'used').map(({ ptr }) => ptr);
  // A root's name may be lost where its node was; the block is there by its place.
  expect(Math.max(whole.length, pointers.filter((ptr) => live.includes(ptr)).length)).toBeGreaterThanOrEqual(
    least,
  );
  expect(Buffer.compare(readFileSync(path), before)).toBe(0);
  expect(await show(path, '--salvage', `${path}.saved`)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('EEXIST'),
  });
});
