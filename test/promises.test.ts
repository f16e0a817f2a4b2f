import { describe, expect, test } from 'vitest';
import * as libc from '../lib/libc/index.js';
import * as promises from '../lib/promises.js';
import { run, said } from './helpers/child.js';
import { expectSystemError, rejected, thrown } from './helpers/errors.js';
import { ANON, anonymous, file, hole, PAGE, page, RW } from './helpers/memory.js';
import { holdPool } from './helpers/pool.js';
import { libcText, mappingAt } from './helpers/witness.js';

describe('the promise form', () => {
  test('does and returns what the call does', async () => {
    const addr = await promises.mmap(0n, 4 * PAGE, RW, ANON, -1, 0);
    expect(mappingAt(addr)?.perms).toBe('rw-p');
    await promises.madvise(addr, 4 * PAGE, libc.MADV_POPULATE_WRITE);
    await promises.poke(addr, Buffer.from('from the pool'));
    expect(Buffer.from(await promises.peek(addr, 13)).toString()).toBe('from the pool');
    const vec = new Uint8Array(6).fill(0xee);
    expect(await promises.mincore(addr, 4 * PAGE, vec)).toBe(vec);
    expect([...vec]).toEqual([1, 1, 1, 1, 0xee, 0xee]);
    await promises.mlock(addr, PAGE);
    expect(await promises.munlock(addr, PAGE)).toBeUndefined();
    const larger = await promises.mremap(addr, 4 * PAGE, 8 * PAGE, libc.MREMAP_MAYMOVE);
    await promises.mprotect(larger, 8 * PAGE, libc.PROT_READ);
    expect(mappingAt(larger)?.perms).toBe('r--p');
    await promises.munmap(larger, 8 * PAGE);
    expect(() => libc.munmap(larger, PAGE)).toThrow(/ERR_MEMPROBE_NOT_OWNED/);
    expect(await promises.malloc_stats()).toMatch(/^Arena 0:/);
    expect(libc.parseMallocInfo(await promises.malloc_info(0)).arenas.length).toBeGreaterThan(0);
    expect([0, 1]).toContain(await promises.malloc_trim(0));
    const { fd } = file(2);
    expect((await promises.cachestat(fd, 0, 0)).nr_cache).toBe(2);
  });

  test('rejects with what the call throws', async () => {
    expectSystemError(await rejected(promises.mlock(hole(1), PAGE)), 'ENOMEM', 'mlock');
    expectSystemError(await rejected(promises.munmap(anonymous(1) + 1n, PAGE)), 'EINVAL', 'munmap');
    expectSystemError(await rejected(promises.malloc_info(1)), 'EINVAL', 'malloc_info');
    expectSystemError(await rejected(promises.posix_madvise(1n, PAGE, 0)), 'EINVAL', 'posix_madvise');
    expectSystemError(await rejected(promises.peek(1n, 1)), 'EFAULT', 'peek');
    expectSystemError(await rejected(promises.cachestat(-1, 0, 0)), 'EBADF', 'cachestat');
    const calls: [() => unknown, Promise<unknown>][] = [
      [() => libc.mlock(hole(1), -1), promises.mlock(0n, -1)],
      [() => libc.munmap(libcText().start, PAGE), promises.munmap(libcText().start, PAGE)],
      [() => Reflect.apply(libc.peek, undefined, []), Reflect.apply(promises.peek, undefined, [])],
      [
        () => libc.poke(libcText().start, new Uint8Array(1)),
        promises.poke(libcText().start, new Uint8Array(1)),
      ],
    ];
    for (const [call, promise] of calls) {
      const [sync, async] = [thrown(call), await rejected(promise)];
      expect(async.message.split(', ')[0]).toBe(sync.message.split(', ')[0]);
      expect(async.constructor).toBe(sync.constructor);
      expect(async).toMatchObject({ code: Reflect.get(sync, 'code') });
    }
  });

  test('takes its bytes when it is called, not when it runs', async () => {
    const addr = anonymous(1);
    const bytes = Buffer.from('as they were');
    const stored = promises.poke(addr, bytes);
    bytes.fill('!');
    await stored;
    expect(Buffer.from(libc.peek(addr, 12)).toString()).toBe('as they were');
  });

  test('with a vector that was detached meanwhile answers in a new one', async () => {
    const addr = anonymous(2);
    const vec = new Uint8Array(2);
    const answer = promises.mincore(addr, 2 * PAGE, vec);
    structuredClone(vec, { transfer: [vec.buffer] });
    expect((await answer).length).toBe(2);
    expect(vec.length).toBe(0);
  });
});

const PAGES = 64;

describe('while a promise is pending', () => {
  test('its memory cannot be unmapped, moved, protected or freed: EBUSY; afterwards it can', async () => {
    const addr = libc.mmap(0n, PAGES * PAGE, RW, ANON, -1, 0);
    const block = libc.malloc(64);
    const release = holdPool();
    const work = [promises.madvise(addr, PAGES * PAGE, libc.MADV_POPULATE_WRITE), promises.peek(block, 64)];
    const calls: [string, () => unknown][] = [
      ['munmap', () => libc.munmap(page(addr, PAGES - 1), PAGE)],
      ['mremap', () => libc.mremap(addr, PAGE, 2 * PAGE, libc.MREMAP_MAYMOVE)],
      ['mprotect', () => libc.mprotect(addr, PAGE, 0)],
      ['mmap', () => libc.mmap(addr, PAGE, RW, ANON | libc.MAP_FIXED, -1, 0)],
      ['madvise', () => libc.madvise(addr, PAGE, libc.MADV_GUARD_INSTALL)],
    ];
    for (const [name, call] of calls) expectSystemError(thrown(call), 'EBUSY', name);
    new Uint8Array(libc.view(addr, PAGE))[0] = 1;
    await release();
    await Promise.all(work);
    libc.munmap(addr, PAGES * PAGE);
    libc.free(block);
  });

  test('memory on its way out cannot be viewed or unmapped again', async () => {
    const addr = libc.mmap(0n, PAGES * PAGE, RW, ANON, -1, 0);
    libc.madvise(addr, PAGES * PAGE, libc.MADV_POPULATE_WRITE);
    const bytes = new Uint8Array(libc.view(addr, PAGE));
    const release = holdPool();
    const gone = promises.munmap(addr, PAGES * PAGE);
    expect(bytes.length).toBe(0);
    expect(() => libc.view(addr, PAGE)).toThrow(/ERR_MEMPROBE_NOT_OWNED/);
    expect(() => libc.munmap(addr, PAGE)).toThrow(/ERR_MEMPROBE_NOT_OWNED/);
    expect(await rejected(promises.munmap(addr, PAGE))).toMatchObject({ code: 'ERR_MEMPROBE_NOT_OWNED' });
    await release();
    await gone;
  });

  test('memory that is being guarded or protected cannot be viewed', async () => {
    for (const inaccessible of [
      (addr: bigint) => promises.madvise(addr, PAGES * PAGE, libc.MADV_GUARD_INSTALL),
      (addr: bigint) => promises.mprotect(addr, PAGES * PAGE, libc.PROT_READ),
    ]) {
      const addr = libc.mmap(0n, PAGES * PAGE, RW, ANON, -1, 0);
      const release = holdPool();
      const done = inaccessible(addr);
      expectSystemError(
        thrown(() => libc.view(page(addr, PAGES - 1), PAGE)),
        'EACCES',
        'view',
      );
      await release();
      await done;
      libc.munmap(addr, PAGES * PAGE);
    }
  });

  test('a thousand of them at a time all come back', async () => {
    const addr = anonymous(64);
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, i) =>
        promises.mincore(page(addr, i % 64), PAGE).then((vec) => vec.length),
      ),
    );
    expect(new Set(answers)).toEqual(new Set([1]));
  });

  test('the process or a worker may end', async () => {
    const pending = `for (let i = 0; i < 40; i++) {
        promises.malloc_info(0); promises.malloc_stats(); promises.peek(1n, 4096).catch(() => {});
        promises.mmap(0n, 4096, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS, -1, 0).then((addr) => promises.munmap(addr, 4096));
      }`;
    expect(await run(`${pending} process.exit(3);`)).toMatchObject({ code: 3, signal: null, stderr: '' });
    expect(
      await said(`
        const { Worker } = require('node:worker_threads');
        let left = 10;
        for (let i = 0; i < 10; i++) {
          const worker = new Worker(\`const { promises, constants: c } = require(process.env.ADDON); ${pending}
            \${i % 2 ? 'process.exit()' : "require('node:worker_threads').parentPort.postMessage(0); for (;;);"}\`, { eval: true });
          worker.on('message', () => worker.terminate());
          worker.on('exit', () => --left === 0 && say('all ended'));
        }`),
    ).toEqual(['all ended']);
  });
});

test('what block an address belongs to is found at once, wherever it lies', async () => {
  // A search through all of the guard's books reads megabytes for each: 300 of them took 350 ms.
  const answers = await said(`(async () => {
    libc.malloc(100);
    const large = libc.malloc(2 ** 30);
    for (const addr of [anonymous(4096), large + BigInt(2 ** 29), 0x7fff_0000_0000n, 4096n]) {
      let least = Infinity;
      for (let round = 0; round < 5; round++) {
        const before = process.cpuUsage();
        for (let i = 0; i < 300; i++) await rejection(promises.munlock(addr & ~4095n, 4096));
        const { user, system } = process.cpuUsage(before);
        least = Math.min(least, (user + system) / 1000);
      }
      say(least);
    }
  })();`);
  expect(answers).toHaveLength(4);
  for (const least of answers) expect(least).toBeLessThan(150);
});

test('what sets the state of a thread or moves the break has no promise form', () => {
  for (const name of ['brk', 'sbrk', 'alloca', 'view', 'malloc', 'free', 'mallopt']) {
    expect(promises).not.toHaveProperty(name);
  }
});
