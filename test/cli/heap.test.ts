/** `memprobe heap`: what it says of whole, crashed, busy and damaged heaps, and what it saves of them. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Heap } from '../../lib/heap/index.js';
import * as mm from '../../lib/mmalloc/index.js';
import { memprobe } from '../helpers/command.js';
import { doctored, kill, scratch, waiting } from '../heap/support.js';

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

it('shows the keys of mmalloc where they lead to, and what else was kept under one', async () => {
  const path = scratch();
  const fd = openSync(path, 'w+');
  const md = mm.mmalloc_attach(fd, 0n);
  closeSync(fd);
  const ptr = mm.mmalloc(md, 500);
  mm.mmalloc_setkey(md, 0, ptr);
  mm.mmalloc_setkey(md, 3, 0x2an);
  mm.mmalloc_detach(md);
  const { stdout } = await show(path);
  expect(stdout).toContain(`key 0 → 0x${ptr.toString(16)}, 50`);
  expect(stdout).toContain('key 3 → 0x2a\n');
  expect(stdout).not.toContain('No roots');
  expect(JSON.parse((await show(path, '--json')).stdout).keys).toMatchObject([
    { key: 0, value: `0x${ptr.toString(16)}`, ptr: expect.any(Number) },
    { key: 3, value: '0x2a', ptr: 0, size: 0 },
  ]);
});

it('says which root dangles, and that deleting it mends the heap', async () => {
  const { path, pointers } = made();
  const heap = Heap.attach(path);
  heap.free(pointers[4] ?? 0);
  heap.close();
  const { code, stdout } = await show(path);
  expect(code).toBe(1);
  expect(stdout.replace(/\s+/g, ' ')).toContain("roots.delete('root 4') mends that");
  const again = Heap.attach(path);
  again.roots.delete('root 4');
  again.close();
  expect((await show(path)).code).toBe(0);
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
    stderr: expect.stringMatching(/is no heap of memprobe.*--salvage/),
  });
  const heap = made();
  doctored(heap.path, (bytes) => void (bytes[ARENA + 8]! ^= 1));
  expect(await show(heap.path)).toMatchObject({ code: 1, stderr: expect.stringContaining('--salvage') });
});

it('saves what is readable of a damaged heap in a new file, and says what was lost', async () => {
  const { path, pointers } = made();
  const at = ARENA + (pointers[4] ?? 0) - 4;
  doctored(path, (bytes) => void bytes.fill(0xff, at, at + 4).fill(0, 0, 64));
  const { code, stdout, stderr } = await show(path, '--salvage', `${path}.saved`);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/ has 18 blocks .* and 9 roots\.\nThe header was damaged.*\nLost: 1 blocks, at 0x/);
  expect(stdout).toContain('Roots that name nothing any more: root 4');
  expect(await show(path, '--salvage', `${path}.saved`)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('EEXIST'),
  });
});
