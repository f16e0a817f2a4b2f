import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { Heap } from '../../lib/heap/index.js';
import { thrown } from '../helpers/errors.js';
import { code, elsewhere, kill, owned, root, scratch, waiting } from './support.js';

const fill = (heap: Heap, size: number, tag: number): number => {
  const ptr = heap.malloc(size);
  heap.view(ptr).fill(tag);
  return ptr;
};

describe('a heap in a file', () => {
  it('is there again in another process, by its roots', () => {
    const path = scratch();
    const heap = owned(Heap.create(path, { name: 'letters' }));
    heap.roots.set('hello', fill(heap, 100, 65), 'text');
    heap.close();
    expect(
      elsewhere(
        path,
        `const heap = Heap.attach(path);
         const ptr = heap.roots.get('hello', 'text');
         console.log(heap.name, heap.repaired, Buffer.from(heap.view(ptr, 3)).toString());
         heap.view(ptr, 3).set([66, 67, 68]);
         heap.free(heap.malloc(50_000));
         heap.close();`,
      ),
    ).toBe('letters false AAA');
    const again = owned(Heap.attach(path));
    again.check();
    expect(Buffer.from(again.view(again.roots.get('hello'), 4)).toString()).toBe('BCDA');
  });

  it('is readable by its owner alone, and as long on the disk as it needs to be', () => {
    const path = scratch();
    const heap = owned(Heap.create(path));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const small = statSync(path).blocks * 512;
    expect(small).toBeLessThan(200_000);
    const ptr = heap.malloc(5e6);
    expect(statSync(path).blocks * 512).toBeGreaterThan(5e6);
    heap.free(ptr);
    expect(heap.trim()).toBeGreaterThan(4e6);
    expect(statSync(path).blocks * 512).toBeLessThan(small + 200_000);
    heap.check();
  });

  it('grows to its limit, over no other mapping, and says null there', () => {
    const heap = owned(Heap.create(scratch(), { limit: 2 ** 22 }));
    const pointers: number[] = [];
    for (let ptr = heap.malloc(1000); ptr !== 0; ptr = heap.malloc(1000)) {
      heap.view(ptr).fill(pointers.length);
      pointers.push(ptr);
    }
    expect(pointers.length).toBeGreaterThan(4100);
    pointers.forEach((ptr, i) => expect(heap.view(ptr)[999]).toBe(i & 255));
    expect(heap.malloc(2 ** 30)).toBe(0);
    expect(heap.grow(2 ** 22)).toBe(true);
    expect(heap.grow(2 ** 22 + 1)).toBe(false);
    heap.check();
  });

  it('detaches its views at close, and can be closed again', () => {
    const heap = Heap.create(scratch());
    const first = heap.view(heap.malloc(100));
    const grown = heap.view(heap.malloc(10e6));
    heap.close();
    heap.close();
    expect([first.length, grown.length]).toEqual([0, 0]);
    expect(heap.closed).toBe(true);
    for (const call of [
      () => heap.malloc(1),
      () => heap.free(8),
      () => heap.check(),
      () => heap.roots.list(),
    ])
      expect(code(call)).toBe('ERR_MEMPROBE_CLOSED');
  });

  it('views blocks, and no more than blocks', () => {
    const heap = owned(Heap.create('memory'));
    const ptr = heap.malloc(100);
    expect(heap.view(ptr).length).toBe(heap.malloc_usable_size(ptr));
    expect(code(() => heap.view(ptr, 200))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => heap.view(ptr + 8))).toBe('ERR_MEMPROBE_BAD_POINTER');
    heap.free(ptr);
    expect(code(() => heap.view(ptr))).toBe('ERR_MEMPROBE_BAD_POINTER');
    expect(code(() => heap.free(ptr))).toMatch(/DOUBLE_FREE|BAD_POINTER/);
    for (const bad of [ptr + 4, 12.5, -8, 2 ** 40, Number.NaN]) expect(() => heap.free(bad)).toThrow();
    heap.check();
  });

  it('realloc keeps the content where it moves', () => {
    const heap = owned(Heap.create('memory'));
    const ptr = fill(heap, 100, 7);
    fill(heap, 10, 1);
    const moved = heap.realloc(ptr, 100_000);
    expect(moved).not.toBe(ptr);
    expect(heap.view(moved, 100).every((byte) => byte === 7)).toBe(true);
    expect(heap.realloc(moved, 0)).toBe(0);
    heap.check();
  });

  it('counts what it holds', () => {
    const heap = owned(Heap.create('memory', { limit: 2 ** 20 }));
    const [one, two] = [heap.malloc(1000), heap.malloc(1000)];
    heap.roots.set('two', two);
    heap.free(one);
    const stats = heap.stats();
    expect(stats).toMatchObject({ limit: 2 ** 20, usedBlocks: 2, roots: 1, gaps: 1, fragmentation: 0 });
    expect(stats.gapBytes).toBeGreaterThanOrEqual(1000);
    expect(stats.largestGap).toBe(stats.gapBytes);
  });

  it('is used by several workers, a heap each', async () => {
    const paths = [scratch('one'), scratch('two'), scratch('three')];
    const work = `const { workerData } = require('node:worker_threads');
      import(workerData.entry).then(({ Heap }) => {
        const heap = Heap.create(workerData.path);
        for (let i = 0; i < 1000; i++) heap.roots.set('last', heap.malloc(i));
        heap.close();
      });`;
    const entry = `${root}dist/heap/index.js`;
    await Promise.all(
      paths.map(async (path) => {
        const worker = new Worker(work, { eval: true, workerData: { path, entry } });
        expect(await new Promise((done) => worker.once('exit', done))).toBe(0);
      }),
    );
    for (const path of paths) {
      const heap = owned(Heap.attach(path));
      heap.check();
      expect(heap.stats().usedBlocks).toBe(1001);
    }
  });
});

describe('one writer at a time', () => {
  it('a second one gets EWOULDBLOCK at once, and the pid of the first', async () => {
    const path = scratch();
    Heap.create(path).close();
    const child = await waiting(path, 'globalThis.heap = Heap.attach(path);');
    const error = thrown(() => Heap.attach(path));
    expect(error).toMatchObject({ code: 'EWOULDBLOCK', errno: -11, syscall: 'flock', pid: child.pid });
    expect(error.message).toContain(`process ${child.pid}`);
    await kill(child);
    const heap = owned(Heap.attach(path)); // the lock has died with its process
    expect(heap.repaired).toBe(true);
    expect(thrown(() => Heap.attach(path))).toMatchObject({ code: 'EWOULDBLOCK', pid: process.pid });
  });

  it('readers see what the writer does, copies keep what they do to themselves', async () => {
    const path = scratch();
    const heap = owned(Heap.create(path));
    const ptr = fill(heap, 10, 1);
    heap.roots.set('it', ptr);
    const reader = owned(Heap.attach(path, { mode: 'read' }));
    const bytes = reader.view(reader.roots.get('it'));
    expect(bytes[0]).toBe(1);
    heap.view(ptr).fill(2);
    expect(bytes[0]).toBe(2);
    const large = fill(heap, 20e6, 3);
    heap.roots.set('large', large);
    expect(reader.view(reader.roots.get('large'))[19e6]).toBe(3);
    for (const call of [() => reader.malloc(1), () => reader.free(ptr), () => reader.roots.set('a', ptr)])
      expect(code(call)).toBe('ERR_MEMPROBE_READ_ONLY');
    heap.close();
    const before = readFileSync(path);
    const copy = owned(Heap.attach(path, { mode: 'copy-on-write' }));
    copy.view(ptr).fill(9);
    copy.roots.set('new', fill(copy, 50e6, 5));
    copy.check();
    copy.close();
    expect(Buffer.compare(readFileSync(path), before)).toBe(0);
  });

  it('a reader of a heap whose writer was killed sees it whole, and changes nothing', async () => {
    const path = scratch();
    const child = await waiting(
      path,
      "const heap = Heap.create(path); heap.roots.set('it', heap.malloc(100));",
    );
    await kill(child);
    const before = readFileSync(path);
    const reader = owned(Heap.attach(path, { mode: 'read' }));
    reader.check();
    expect(reader.roots.has('it')).toBe(true);
    reader.close();
    expect(Buffer.compare(readFileSync(path), before)).toBe(0);
  });
});

describe('roots', () => {
  it('are set, read, listed with their layouts, replaced and deleted', () => {
    const heap = owned(Heap.create('memory'));
    const [one, two] = [heap.malloc(10), heap.malloc(10)];
    heap.roots.set('ä', one, 'a layout');
    heap.roots.set('b', two);
    expect(heap.roots.list()).toEqual([
      { name: 'b', ptr: two, layout: '' },
      { name: 'ä', ptr: one, layout: 'a layout' },
    ]);
    heap.roots.set('ä', two, 'a layout');
    expect(heap.roots.get('ä', 'a layout')).toBe(two);
    expect(heap.roots.get('nobody')).toBe(0);
    expect(code(() => heap.roots.get('ä', 'another'))).toBe('ERR_MEMPROBE_ROOT_TYPE');
    expect(code(() => heap.roots.set('ä', two))).toBe('ERR_MEMPROBE_ROOT_TYPE');
    expect([heap.roots.delete('ä'), heap.roots.delete('ä')]).toEqual([true, false]);
    expect(heap.stats().usedBlocks).toBe(3);
    heap.check();
  });

  it('name live blocks only', () => {
    const heap = owned(Heap.create('memory'));
    expect(code(() => heap.roots.set('x', 16))).toBe('ERR_MEMPROBE_BAD_POINTER');
    expect(code(() => heap.roots.set(Object(1), 16))).toBe('ERR_INVALID_ARG_TYPE');
    const ptr = heap.malloc(10);
    heap.roots.set('x', ptr);
    heap.free(ptr);
    expect(code(() => heap.check())).toBe('ERR_MEMPROBE_HEAP_CORRUPT');
  });
});

describe('a snapshot', () => {
  it('is the heap as it was, closed well, beside the one that goes on', () => {
    const path = scratch();
    const heap = owned(Heap.create(path));
    const ptr = fill(heap, 1000, 1);
    heap.roots.set('it', ptr);
    heap.snapshot(`${path}.saved`);
    heap.view(ptr).fill(2);
    heap.malloc(1e6);
    const saved = owned(Heap.attach(`${path}.saved`));
    expect(saved.repaired).toBe(false);
    saved.check();
    expect(saved.view(saved.roots.get('it'))[0]).toBe(1);
    saved.free(saved.malloc(1e6));
    saved.check();
    heap.check();
    expect(readdirSync(path.replace(/heap$/, '')).sort()).toEqual(['heap', 'heap.saved']);
  });

  it('of a heap in memory is a file', () => {
    const path = scratch();
    const heap = owned(Heap.create('memory'));
    heap.roots.set('it', fill(heap, 10, 4));
    heap.snapshot(path);
    const saved = owned(Heap.attach(path));
    expect(saved.view(saved.roots.get('it'), 1)[0]).toBe(4);
  });

  it('that fails leaves nothing behind', () => {
    const path = scratch('missing/heap');
    const heap = owned(Heap.create('memory'));
    expect(code(() => heap.snapshot(path))).toBe('ENOENT');
    expect(existsSync(path)).toBe(false);
  });
});

describe('bad arguments', () => {
  it('are named', () => {
    const path = scratch();
    expect(code(() => Heap.create(path, { limit: 100 }))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => Heap.create(path, { limit: 2 ** 50 }))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => Heap.create(path, { name: 'x'.repeat(64) }))).toBe('ERR_OUT_OF_RANGE');
    expect(code(() => Heap.create(Object(5)))).toBe('ERR_INVALID_ARG_TYPE');
    expect(code(() => Heap.attach(path, { mode: Object('append') }))).toBe('ERR_INVALID_ARG_TYPE');
    expect(code(() => Heap.attach(path))).toBe('ENOENT');
    for (const call of [Heap.create, Heap.attach]) {
      expect(code(() => call(path, Object({ lmit: 5 })))).toBe('ERR_INVALID_ARG_VALUE');
    }
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, 'something');
    expect(code(() => Heap.create(path))).toBe('EEXIST');
    expect(readFileSync(path, 'utf8')).toBe('something');
  });
});

it('flush waits for the disk, both ways', async () => {
  const heap = owned(Heap.create(scratch()));
  fill(heap, 1e6, 1);
  heap.flush();
  await heap.flushAsync();
  heap.check();
});
