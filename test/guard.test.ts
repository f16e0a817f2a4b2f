/** What the guard allows, refuses and detaches; of blocks see libc/malloc.test.ts. */
import { ftruncateSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as libc from '../lib/libc/index.js';
import { isRoot, NODES, run, said } from './helpers/child.js';
import { expectNotOwned, expectThrows } from './helpers/errors.js';
import { ANON, anonymous, file, hole, PAGE, page, RW } from './helpers/memory.js';
import { fifo } from './helpers/pool.js';
import { libcText, mappingAt } from './helpers/witness.js';

const { mmap, munmap, mremap, mprotect, madvise, view, peek, poke } = libc;

const FIXED = ANON | libc.MAP_FIXED;
const MOVES = libc.MREMAP_MAYMOVE | libc.MREMAP_FIXED;

describe('foreign memory', () => {
  test('is not unmapped, moved, protected, replaced or sealed', () => {
    const { start } = libcText();
    const mine = anonymous(1);
    expectNotOwned('munmap', () => munmap(start, PAGE));
    expectNotOwned('mremap', () => mremap(start, PAGE, 2 * PAGE, libc.MREMAP_MAYMOVE));
    expectNotOwned('mremap', () => mremap(start, 0, PAGE, libc.MREMAP_MAYMOVE));
    expectNotOwned('mremap', () => mremap(mine, PAGE, PAGE, MOVES, start));
    expectNotOwned('mprotect', () => mprotect(start, PAGE, RW));
    expectNotOwned('mmap', () => mmap(start, PAGE, RW, FIXED, -1, 0));
    expectNotOwned('mseal', () => libc.mseal(start, PAGE, 0));
    expect(mappingAt(start)?.perms).toBe('r-xp');
    poke(mine, Buffer.from('still mine'));
  });

  test('is not touched at the edge of a range that is partly owned', () => {
    const addr = anonymous(3);
    munmap(page(addr, 2), PAGE);
    const ours = (): boolean => mappingAt(addr) !== undefined && mappingAt(page(addr, 1)) !== undefined;
    for (const length of [3 * PAGE, 2 * PAGE + 1, Number.MAX_SAFE_INTEGER]) {
      expectNotOwned('munmap', () => munmap(addr, length));
      expectNotOwned('mprotect', () => mprotect(addr, length, 0));
      expectNotOwned('madvise', () => madvise(addr, length, libc.MADV_DONTNEED));
      expectNotOwned('mmap', () => mmap(addr, length, RW, FIXED, -1, 0));
      expectNotOwned('mremap', () => mremap(addr, length, PAGE, 0));
      expect(ours()).toBe(true);
    }
    expectNotOwned('munmap', () => munmap(addr - BigInt(PAGE) * 1000n, 1002 * PAGE));
    munmap(addr, 2 * PAGE);
    expectNotOwned('munmap', () => munmap(addr, 2 * PAGE));
  });
});

describe('ownership', () => {
  test('ends where the mapping ends, whatever the hint’s alignment', () => {
    const place = hole(4);
    const addr = mmap(place + 1n, PAGE, RW, ANON, -1, 0);
    expectNotOwned('munmap', () => munmap(addr, 2 * PAGE));
    munmap(addr, PAGE);
  });

  test('of several mappings side by side is one', () => {
    const place = hole(3);
    for (const i of [2, 0, 1]) mmap(page(place, i), PAGE, RW, ANON | libc.MAP_FIXED_NOREPLACE, -1, 0);
    mprotect(place, 3 * PAGE, libc.PROT_READ);
    munmap(place, 3 * PAGE);
    expect(mappingAt(place)).toBeUndefined();
  });

  test('goes along with mremap, and stays with both mappings after DONTUNMAP', () => {
    const addr = anonymous(2);
    const moved = mremap(addr, 2 * PAGE, 5 * PAGE, MOVES, anonymous(5));
    expectNotOwned('munmap', () => munmap(addr, PAGE));
    mremap(moved, 5 * PAGE, 3 * PAGE, 0);
    expectNotOwned('munmap', () => munmap(page(moved, 3), PAGE));
    const twin = mremap(moved, PAGE, PAGE, libc.MREMAP_MAYMOVE | libc.MREMAP_DONTUNMAP);
    for (const each of [twin, moved]) munmap(each, PAGE);
    munmap(page(moved, 1), 2 * PAGE);
  });

  test('survives calls that fail', () => {
    const addr = anonymous(2);
    expectThrows('EINVAL', 'mremap', () => mremap(addr, PAGE, PAGE, 64));
    expectThrows('ENOMEM', 'mremap', () => mremap(addr, 2 * PAGE, 2 ** 45, libc.MREMAP_MAYMOVE));
    expectThrows('EBADF', 'mmap', () => mmap(addr, PAGE, RW, libc.MAP_SHARED | libc.MAP_FIXED, -1, 0));
    expectThrows('EINVAL', 'mmap', () => mmap(addr, PAGE, RW, libc.MAP_ANONYMOUS | libc.MAP_FIXED, -1, 0));
    expectThrows('EINVAL', 'mprotect', () => mprotect(addr, PAGE, 1 << 20));
    poke(addr, Buffer.from('writable, and ours'));
    view(addr, 2 * PAGE);
    munmap(addr, 2 * PAGE);
  });

  // The kernel would change everything from the start of its mapping on, views or not.
  test('does not reach beyond the range that is named, as PROT_GROWSDOWN would', () => {
    const addr = anonymous(4, RW, ANON | libc.MAP_GROWSDOWN);
    const bytes = new Uint8Array(view(addr, PAGE));
    expectNotOwned('mprotect', () => mprotect(page(addr, 3), PAGE, libc.PROT_GROWSDOWN));
    expectNotOwned('mprotect', () => mprotect(addr, PAGE, libc.PROT_READ | libc.PROT_GROWSUP));
    bytes[0] = 5;
    expect(mappingAt(addr)?.perms).toBe('rw-p');
  });

  // mremap unmaps its target before it finds out that the source can't be moved.
  test('ends with what a call unmapped before it failed', () => {
    const source = anonymous(2);
    mprotect(source, PAGE, libc.PROT_READ);
    const target = anonymous(4);
    let failed = false;
    try {
      mremap(source, 2 * PAGE, 4 * PAGE, MOVES, target);
    } catch {
      failed = true;
    }
    expect(failed).toBe(true);
    for (let i = 0; i < 4; i++) {
      const at = page(target, i);
      if (mappingAt(at) === undefined) expectNotOwned('munmap', () => munmap(at, PAGE));
      else munmap(at, PAGE);
    }
    munmap(source, 2 * PAGE);
  });

  test('of huge pages is a whole number of them', () => {
    const huge = ANON | libc.MAP_HUGETLB | libc.MAP_NORESERVE | (21 << libc.MAP_HUGE_SHIFT);
    const size = 2 << 20;
    let addr: bigint;
    try {
      addr = mmap(0n, PAGE, RW, huge, -1, 0);
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(EINVAL|ENOMEM|ENODEV)$/) });
      return console.warn('not tested: this kernel has no huge pages of 2 MiB');
    }
    expect((mappingAt(addr)?.end ?? 0n) - addr).toBeGreaterThanOrEqual(BigInt(size));
    expectThrows('EINVAL', 'munmap', () => munmap(addr, PAGE));
    munmap(addr, size);
    // One page of ours in the middle of nothing: MAP_FIXED would replace 2 MiB around it.
    const aligned = (hole(2048) + BigInt(size) - 1n) & ~(BigInt(size) - 1n);
    mmap(aligned, PAGE, RW, ANON | libc.MAP_FIXED_NOREPLACE, -1, 0);
    expectNotOwned('mmap', () => mmap(aligned, PAGE, RW, huge | libc.MAP_FIXED, -1, 0));
    munmap(aligned, PAGE);
  });
});

describe('views', () => {
  const viewed = (): { addr: bigint; bytes: Uint8Array; other: Uint8Array } => {
    const addr = anonymous(4);
    return {
      addr,
      bytes: new Uint8Array(view(addr, 2 * PAGE)),
      other: new Uint8Array(view(page(addr, 3), PAGE)),
    };
  };

  test.each<[string, (addr: bigint) => unknown]>([
    ['munmap', (addr) => munmap(addr, PAGE)],
    ['munmap of another part', (addr) => munmap(page(addr, 1), PAGE)],
    ['mremap', (addr) => mremap(addr, PAGE, PAGE, MOVES, anonymous(1))],
    ['mremap in place', (addr) => mremap(addr, 2 * PAGE, PAGE, 0)],
    ['mprotect', (addr) => mprotect(addr, PAGE, libc.PROT_READ)],
    ['MAP_FIXED', (addr) => mmap(addr, PAGE, RW, FIXED, -1, 0)],
    ['MADV_GUARD_INSTALL', (addr) => madvise(addr, PAGE, libc.MADV_GUARD_INSTALL)],
    ['MADV_DONTFORK', (addr) => madvise(addr, PAGE, libc.MADV_DONTFORK)],
  ])('are detached by %s, and only those of this memory', (_, call) => {
    const { addr, bytes, other } = viewed();
    const words = new Float64Array(bytes.buffer);
    call(addr);
    expect([bytes.length, words.length, bytes.buffer.byteLength]).toEqual([0, 0, 0]);
    expect(other.length).toBe(PAGE);
  });

  test('stay when the contents go', () => {
    const { addr, bytes } = viewed();
    bytes[5] = 5;
    madvise(addr, PAGE, libc.MADV_DONTNEED);
    expect([bytes.length, bytes[5]]).toEqual([2 * PAGE, 0]);
  });

  test('of guarded memory are refused until the guard is removed, also after it has moved', () => {
    const addr = anonymous(3);
    madvise(page(addr, 1), PAGE, libc.MADV_GUARD_INSTALL);
    expectThrows('EACCES', 'view', () => view(addr, 3 * PAGE));
    view(addr, PAGE);
    expectThrows('EFAULT', 'peek', () => peek(page(addr, 1), 1));
    const moved = mremap(addr, 3 * PAGE, 3 * PAGE, MOVES, anonymous(3));
    expectThrows('EACCES', 'view', () => view(page(moved, 1), PAGE));
    madvise(moved, 3 * PAGE, libc.MADV_GUARD_REMOVE);
    new Uint8Array(view(moved, 3 * PAGE)).fill(1);
    munmap(moved, 3 * PAGE);
  });

  test('of the same bytes are one buffer, until it is detached', () => {
    const addr = anonymous(2);
    const first = view(addr, PAGE);
    expect(view(addr, PAGE)).toBe(first);
    expect(view(addr, PAGE + 1)).not.toBe(first);
    mprotect(addr, PAGE, RW);
    expect(view(addr, PAGE)).not.toBe(first);
    expect(first.byteLength).toBe(0);
  });

  test('by the thousand, made and detached in one go, cost no more each than the first', () => {
    const round = (): number => {
      const start = process.cpuUsage();
      for (let i = 0; i < 2000; i++) {
        const addr = mmap(0n, PAGE, RW, ANON, -1, 0);
        view(addr, PAGE);
        munmap(addr, PAGE);
      }
      const { user, system } = process.cpuUsage(start);
      return user + system;
    };
    round();
    const first = round();
    // The least of them: what the garbage collector does meanwhile counts too.
    const later = Array.from({ length: 7 }, round);
    expect(Math.min(...later)).toBeLessThan(10 * first + 50_000);
  });

  describe.each(NODES)('on %s', (node) => {
    test('that were moved away make munmap EBUSY; once they are collected it works', async () => {
      const answers = await said(
        `
        const addr = anonymous(8192), block = libc.malloc(64);
        if (!('transfer' in ArrayBuffer.prototype)) { say('views cannot be moved here'); process.exit(); }
        let moved = [libc.view(addr, 4096), libc.view(block, 64)].map((view) => view.transfer());
        say([outcome(() => libc.munmap(addr, 8192)), outcome(() => libc.mprotect(addr, 4096, 0)), outcome(() => libc.free(block)),
             outcome(() => libc.realloc(block, 100)), outcome(() => libc.mremap(addr, 4096, 8192, 1)),
             outcome(() => libc.madvise(addr, 4096, c.MADV_GUARD_INSTALL)),
             outcome(() => libc.mmap(addr, 4096, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_FIXED, -1, 0))]);
        new Uint8Array(moved[0])[0] = 77;
        say([libc.peek(addr, 1)[0], outcome(() => libc.munmap(addr + 4096n, 4096))]);
        moved = undefined;
        let rounds = 0;
        (function again() {
          gc();
          const result = [outcome(() => libc.munmap(addr, 4096)), outcome(() => libc.free(block))];
          if (result.join() === 'ok,ok' || ++rounds > 200) say(rounds <= 200); else setTimeout(again, 10);
        })();`,
        { node, args: ['--expose-gc'] },
      );
      if (answers[0] === 'views cannot be moved here')
        return console.warn(`not tested: ${answers[0]}, ${node}`);
      expect(answers[0]).toEqual(Array(7).fill('EBUSY'));
      expect(answers.slice(1)).toEqual([[77, 'ok'], true]);
    });

    test('that were dropped never stand in the way', async () => {
      const [busy] = await said(
        `let busy = 0;
         for (let i = 0; i < 400; i++) {
           const addr = anonymous(4096);
           libc.view(addr, 4096);
           if (i % 10 === 0) gc();
           if (outcome(() => libc.munmap(addr, 4096)) !== 'ok') busy++;
         }
         say(busy);`,
        { node, args: ['--expose-gc'] },
      );
      expect(busy).toBe(0);
    });
  });
});

describe('what a sealed page stops half-way', () => {
  // A child: sealed pages stay for ever. It says why where there is no mseal (Linux 6.10).
  const sealed = (program: string): Promise<unknown[]> =>
    said(`
      const fd = libc.memfd_create('file', 0);
      require('node:fs').ftruncateSync(fd, 8192);
      const sealing = (addr) => outcome(() => libc.mseal(addr, 4096, 0));
      const supported = sealing(anonymous(4096));
      // What can be viewed can be written, or this is the end.
      const stored = (addr) => outcome(() => new Uint8Array(libc.view(addr, 4096)).fill(1));
      if (supported !== 'ok') say(supported); else { ${program} }`);

  test('is viewed only where it is accessible still: mprotect', async () => {
    const answers = await sealed(`
      const addr = anonymous(8192);
      sealing(addr + 4096n);
      say([outcome(() => libc.mprotect(addr, 8192, c.PROT_NONE)), stored(addr)]);
      say(outcome(() => libc.mprotect(addr, 4096, c.PROT_READ | c.PROT_WRITE)) + stored(addr));`);
    if (answers[0] === 'ERR_MEMPROBE_UNSUPPORTED') return;
    expect(answers).toEqual([['EPERM', 'EACCES'], 'okok']);
  });

  test('is viewed only where it is accessible still: mremap, to where there was other memory', async () => {
    const answers = await sealed(`
      const source = anonymous(8192, c.PROT_NONE), target = anonymous(8192);
      libc.mprotect(target + 4096n, 4096, c.PROT_READ);
      sealing(source + 4096n);
      say(outcome(() => libc.mremap(source, 8192, 8192, c.MREMAP_MAYMOVE | c.MREMAP_FIXED, target)));
      say(stored(target));`);
    if (answers[0] === 'ERR_MEMPROBE_UNSUPPORTED') return;
    expect(answers[0]).toMatch(/^(EPERM|EFAULT)$/);
    // Older kernels move nothing, and may have unmapped the target before they refuse.
    expect(answers[1]).toMatch(/^(EACCES|ERR_MEMPROBE_NOT_OWNED)$/);
  });

  test('is no file: zeroes could not take the place of its pages when it is truncated', async () => {
    const answers = await sealed(`
      const addr = libc.mmap(0n, 8192, c.PROT_READ | c.PROT_WRITE, c.MAP_SHARED, fd, 0);
      const bytes = new Uint8Array(libc.view(addr, 8192));
      const refused = sealing(addr);
      require('node:fs').ftruncateSync(fd, 0);
      say([refused, bytes[0], outcome(() => libc.munmap(addr, 8192))]);`);
    if (answers[0] === 'ERR_MEMPROBE_UNSUPPORTED') return;
    expect(answers).toEqual([['ERR_MEMPROBE_NOT_OWNED', 0, 'ok']]);
  });
});

describe('other threads', () => {
  test('with a view make it EBUSY, until they end', async () => {
    expect(
      await said(`
        const { Worker } = require('node:worker_threads');
        const addr = anonymous(4096), block = libc.malloc(100);
        const worker = new Worker(\`const { libc } = require(process.env.ADDON);
          const { workerData, parentPort } = require('node:worker_threads');
          globalThis.kept = [libc.view(workerData.addr, 4096), libc.view(workerData.block, 100)];
          new Uint8Array(kept[0])[1] = 11;
          parentPort.postMessage('viewed');
          parentPort.on('message', () => parentPort.close());\`, { eval: true, workerData: { addr, block } });
        const tried = () => [outcome(() => libc.munmap(addr, 4096)), outcome(() => libc.free(block))];
        worker.on('message', () => {
          say([libc.peek(addr + 1n, 1)[0], outcome(() => libc.mprotect(addr, 4096, 1)), ...tried()]);
          worker.postMessage('end');
        });
        worker.on('exit', () => say(tried()));`),
    ).toEqual([
      [11, 'EBUSY', 'EBUSY', 'EBUSY'],
      ['ok', 'ok'],
    ]);
  });

  test('may free, unmap and use what this one made', async () => {
    expect(
      await said(`
        const { Worker } = require('node:worker_threads');
        const addr = anonymous(4096), block = libc.malloc(100);
        new Worker(\`const { libc } = require(process.env.ADDON); const { addr, block } = require('node:worker_threads').workerData;
          libc.poke(addr, new Uint8Array(8)); libc.munmap(addr, 4096); libc.free(block);\`,
          { eval: true, workerData: { addr, block } })
          .on('exit', (code) => say([code, outcome(() => libc.munmap(addr, 4096)), outcome(() => libc.free(block))]));`),
    ).toEqual([[0, 'ERR_MEMPROBE_NOT_OWNED', 'ERR_MEMPROBE_NOT_OWNED']]);
  });

  test('load the addon and unload it 50 times; the books outlive them all', async () => {
    const { code, stdout, stderr } = await run(`
      const { Worker } = require('node:worker_threads');
      const source = \`const { libc, promises, constants: c } = require(process.env.ADDON);
        const addr = libc.mmap(0n, 8192, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS, -1, 0);
        globalThis.views = [libc.view(addr, 100), libc.view(libc.malloc(50), 50)];
        promises.peek(addr, 8192); promises.malloc_info(0); promises.madvise(addr, 4096, c.MADV_POPULATE_WRITE);
        require('node:worker_threads').parentPort.postMessage(addr);
        if (addr % 8192n === 0n) process.exit();\`;
      const owned = [];
      (async () => {
        for (let i = 0; i < 50; i++) {
          const worker = new Worker(source, { eval: true });
          worker.on('message', (addr) => owned.push(addr));
          await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject));
        }
        for (const addr of owned) libc.munmap(addr, 8192);
        say(owned.length);
      })();`);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '50\n', stderr: '' });
  });

  test('that alone loaded the addon leave the books and the SIGBUS handler behind', async () => {
    const { stdout, signal, code } = await run(
      `const { Worker } = require('node:worker_threads');
       const fs = require('node:fs');
       const source = \`const { libc, constants: c } = require(process.env.ADDON);
         const fd = libc.memfd_create('file', 0);
         require('node:fs').ftruncateSync(fd, 4096);
         const addr = libc.mmap(0n, 4096, 3, c.MAP_SHARED, fd, 0);
         require('node:fs').ftruncateSync(fd, 0);
         require('node:worker_threads').parentPort.postMessage(addr);\`;
       let addr;
       new Worker(source, { eval: true }).on('message', (at) => (addr = at)).on('exit', () => {
         const { libc } = require(process.env.ADDON);
         fs.writeSync(1, String(new Uint8Array(libc.view(addr, 4096))[0]));
       });`,
      { bare: true },
    );
    expect({ stdout, signal, code }).toEqual({ stdout: '0', signal: null, code: 0 });
  });
});

describe('SIGBUS', () => {
  test('a file that someone else truncates reads as zeroes, and Node lives', () => {
    const { fd } = file(3);
    const addr = mmap(0n, 3 * PAGE, RW, libc.MAP_SHARED, fd, 0);
    const bytes = new Uint8Array(view(addr, 3 * PAGE));
    expect([bytes[0], bytes[PAGE], bytes[2 * PAGE]]).toEqual([1, 2, 3]);
    ftruncateSync(fd, PAGE);
    expect([bytes[0], bytes[PAGE], bytes[2 * PAGE]]).toEqual([1, 0, 0]);
    bytes[PAGE] = 9;
    expect(bytes[PAGE]).toBe(9);
    munmap(addr, 3 * PAGE);
  });

  test('also when a worker’s access meets it, and where the mapping has moved', async () => {
    expect(
      await said(`
        const fs = require('node:fs'), { Worker } = require('node:worker_threads');
        const fd = libc.memfd_create('shrinks', 0);
        fs.ftruncateSync(fd, 8192);
        const addr = libc.mremap(libc.mmap(0n, 8192, 3, c.MAP_SHARED, fd, 0), 8192, 8192, 3, anonymous(8192));
        fs.ftruncateSync(fd, 0);
        new Worker(\`const { libc } = require(process.env.ADDON); const addr = require('node:worker_threads').workerData;
          require('node:worker_threads').parentPort.postMessage(new Uint8Array(libc.view(addr, 8192))[4096]);\`, { eval: true, workerData: addr })
          .on('message', say);`),
    ).toEqual([0]);
  });

  const wild = (before: string): string => `${before}
    const fs = require('node:fs');
    // Ours, so that the handler is there; and one that is not ours.
    const owned = libc.memfd_create('owned', 0);
    libc.mmap(0n, 4096, 3, c.MAP_SHARED, owned, 0);
    const fd = libc.memfd_create('foreign', 0);
    const addr = unsafe.mmap(0n, 4096, 3, c.MAP_SHARED, fd, 0);
    say('before');
    new Uint8Array(unsafe.view(addr, 4096))[0] = 1;
    say('after');`;

  test('elsewhere ends the process as it would have', async () => {
    const { signal, stdout } = await run(wild(''));
    expect({ signal, stdout }).toEqual({ signal: 'SIGBUS', stdout: '"before"\n' });
  });

  test('that is sent by kill ends it too', async () => {
    const { signal } = await run(`
      const fd = libc.memfd_create('owned', 0);
      libc.mmap(0n, 4096, 3, c.MAP_SHARED, fd, 0);
      process.kill(process.pid, 'SIGBUS');
      setInterval(() => {}, 1000);`);
    expect(signal).toBe('SIGBUS');
  });

  test('elsewhere goes to the handler that was there before', async () => {
    // Node's own: process.on('SIGBUS') is asked for a signal that was sent.
    const answers = await said(`
      process.on('SIGBUS', () => { say('handled'); process.exit(0); });
      const fd = libc.memfd_create('owned', 0);
      libc.mmap(0n, 4096, 3, c.MAP_SHARED, fd, 0);
      process.kill(process.pid, 'SIGBUS');
      setTimeout(() => say('not handled'), 60_000);`);
    expect(answers).toEqual(['handled']);
  });
});

describe('the memory of a Mapping', () => {
  test('has one owner', async () => {
    expect(
      await said(`
        const addr = anonymous(8192);
        libc.mapping_create(addr, 4096, -1, '');
        say([outcome(() => libc.mapping_create(addr, 8192, -1, '')), outcome(() => libc.munmap(addr, 4096))]);`),
    ).toEqual([['EBUSY', 'EBUSY']]);
  });

  test('has no new views while it is resized', async () => {
    expect(
      await said(`
        const held = libc.mapping_create(anonymous(4096), 4096, -1, '');
        // The thread pool waits for who writes, and the resize for the thread pool.
        const fs = require('node:fs'), fifo = ${JSON.stringify(fifo())};
        for (let i = 0; i < (process.env.UV_THREADPOOL_SIZE ?? 4); i++) fs.open(fifo, 'r', () => {});
        const resized = promises.mapping_resize(held, 8192);
        say(outcome(() => libc.mapping_view(held, 0, 4096)));
        fs.openSync(fifo, 'r+');
        resized.then(() => say(libc.mapping_view(held, 0, 8192).byteLength));`),
    ).toEqual(['EBUSY', 8192]);
  });

  test('is told from handles of other kinds', async () => {
    expect(
      await said(`
        const held = libc.mapping_create(anonymous(4096), 4096, -1, '');
        say([outcome(() => libc.mtrace_log_blocks(held)), outcome(() => libc.mapping_id(libc.mtrace_log(0)))]);`),
    ).toEqual([['ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE']]);
  });
});

test.runIf(isRoot)('the guard holds for root too: a page at address 0 is owned like any other', async () => {
  expect(
    await said(`
      libc.mmap(0n, 8192, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_FIXED_NOREPLACE, -1, 0);
      const bytes = new Uint8Array(libc.view(4096n, 4096));
      bytes[0] = 1;
      libc.mprotect(0n, 4096, 1);
      say([bytes.length, libc.munmap(0n, 8192) ?? 'gone', bytes.length, outcome(() => libc.munmap(0n, 4096))]);`),
  ).toEqual([[4096, 'gone', 0, 'ERR_MEMPROBE_NOT_OWNED']]);
});
