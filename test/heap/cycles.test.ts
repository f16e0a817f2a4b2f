/** Many heaps, one after another and at once: what is opened goes again. */
import { expect, it } from 'vitest';
import { elsewhere, root, scratch } from './support.js';

const LOOK = `
  import { mallinfo2 } from '${root}dist/libc/index.js';
  import { readdirSync, readFileSync } from 'node:fs';
  const look = () => ({
    fds: readdirSync('/proc/self/fd').length,
    mappings: readFileSync('/proc/self/maps', 'latin1').split(path).length - 1,
    address: Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]),
    memory: mallinfo2().uordblks + process.memoryUsage().heapUsed,
  });
  const settle = async () => { for (let i = 0; i < 5; i++) { globalThis.gc?.(); await new Promise(setImmediate); } return look(); };
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--expose-gc');
  globalThis.gc = (await import('node:vm')).runInNewContext('gc');`;

it('10,000 times attached and closed leaves no mapping, no descriptor and no view', () => {
  const output = elsewhere(
    scratch(),
    `${LOOK}
    const heap = Heap.create(path);
    heap.roots.set('it', heap.malloc(100));
    heap.close();
    const cycle = () => {
      const heap = Heap.attach(path);
      const view = heap.view(heap.roots.get('it'));
      heap.free(heap.malloc(100));
      heap.close();
      return view.length;
    };
    let viewed = 0;
    const round = async () => { for (let i = 0; i < 2500; i++) viewed += cycle(); return settle(); };
    // What V8 and malloc keep for good of so many that wait for the garbage collector is there after two.
    await round();
    const before = await round();
    for (let i = 0; i < 3; i++) await round();
    const after = await round();
    console.log(JSON.stringify({ before, after, viewed }));`,
  );
  const { before, after, viewed } = JSON.parse(output);
  expect(viewed).toBe(0);
  expect([after.fds, after.mappings]).toEqual([before.fds, 0]);
  expect(after.address - before.address).toBeLessThan(2_000_000); // KiB; a heap left behind is 4 GiB
  expect(after.memory - before.memory).toBeLessThan(1.5e6);
});

it('a heap that has grown is the next writer’s as soon as it is closed', () => {
  const output = elsewhere(
    scratch(),
    `${LOOK}
    const heap = Heap.create(path);
    for (let i = 0; i < 8; i++) heap.malloc(2 ** (17 + i));
    globalThis.gc();
    heap.close();
    console.log(code(() => Heap.attach(path).close()));`,
  );
  expect(output).toBe('ok');
});

it('100 heaps at once, in files, are apart from each other', () => {
  const output = elsewhere(
    scratch(),
    `${LOOK}
    const before = await settle();
    const heaps = Array.from({ length: 100 }, (_, i) => Heap.create(path + i));
    heaps.forEach((heap, i) => { const ptr = heap.malloc(10000); heap.view(ptr).fill(i); heap.roots.set('it', ptr); });
    const right = heaps.every((heap, i) => (heap.check(), heap.view(heap.roots.get('it'))[9999] === i));
    for (const heap of heaps) heap.close();
    const after = await settle();
    console.log(JSON.stringify([right, after.fds - before.fds, after.mappings]));`,
  );
  expect(JSON.parse(output)).toEqual([true, 0, 0]);
});
