import { closeSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import { NODES, run, said } from '../helpers/child.js';
import {
  expectNotOwned,
  expectRangeError,
  expectRefused,
  expectThrows,
  expectTypeError,
} from '../helpers/errors.js';
import { ANON, anonymous, hole, PAGE, page, RW } from '../helpers/memory.js';
import { libcText, mappingAt } from '../helpers/witness.js';

const { peek, poke, view, alloca } = libc;

describe('peek', () => {
  test('reads any readable address: text of the C library is what its file holds there', () => {
    const text = libcText();
    const bytes = new Uint8Array(3 * PAGE);
    const fd = openSync(text.path, 'r');
    readSync(fd, bytes, 0, bytes.length, text.offset);
    closeSync(fd);
    expect(Buffer.from(peek(text.start, bytes.length)).equals(bytes)).toBe(true);
  });

  test('is EFAULT, never a signal, where not all of it can be read', () => {
    const addr = anonymous(3);
    libc.mprotect(page(addr, 1), PAGE, libc.PROT_NONE);
    expectThrows('EFAULT', 'peek', () => peek(page(addr, 1), 1));
    expectThrows('EFAULT', 'peek', () => peek(addr, 2 * PAGE));
    expectThrows('EFAULT', 'peek', () => peek(hole(1), 1));
    for (const wild of [0n, 1n, 2n ** 47n, 2n ** 64n - 1n]) {
      expectThrows('EFAULT', 'peek', () => peek(wild, 16));
      expect(peek(wild, 0)).toHaveLength(0);
    }
    expectThrows('EFAULT', 'peek', () => peek(addr, Number.MAX_SAFE_INTEGER));
  });

  test('of more than a Uint8Array can have is refused, where V8 would end the process', async () => {
    expect(
      await said(`
        const length = 2 ** 32 + 4096;
        const addr = libc.mmap(0n, length, c.PROT_READ, c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_NORESERVE, -1, 0);
        say(outcome(() => libc.peek(addr, length)));
        promises.peek(addr, length).catch((error) => say(error.code));`),
    ).toEqual(['ERR_OUT_OF_RANGE', 'ERR_OUT_OF_RANGE']);
  });

  test('bad arguments name the parameter', () => {
    expectTypeError('addr', () => Reflect.apply(peek, undefined, [1, 1]));
    expectTypeError('length', () => Reflect.apply(peek, undefined, [1n, 1n]));
    expectRangeError('length', () => peek(1n, -1));
  });
});

describe('poke', () => {
  test('stores into owned memory only, and none of it where it is refused', () => {
    const addr = anonymous(2);
    poke(addr + 4090n, Buffer.from('across the page'));
    expect(Buffer.from(peek(addr + 4090n, 15)).toString()).toBe('across the page');
    expectNotOwned('poke', () => poke(libcText().start, Buffer.from('x')));
    expectNotOwned('poke', () => poke(page(addr, 2) - 1n, Buffer.from('xy')));
    expect(peek(page(addr, 2) - 1n, 1)).toEqual(new Uint8Array(1));
    poke(addr, new Uint8Array());
    expectNotOwned('poke', () => poke(page(addr, 2), new Uint8Array()));
  });

  test('more than one transfer of the kernel’s takes, 2 GiB, arrives whole', () => {
    // 33 mappings of the same 64 MiB, side by side: real memory for one of them.
    const piece = 64 << 20;
    const length = 33 * piece;
    const fd = libc.memfd_create('poke', 0);
    const addr = libc.mmap(0n, length, RW, ANON | libc.MAP_NORESERVE, -1, 0);
    for (let at = 0; at < length; at += piece) {
      libc.mmap(addr + BigInt(at), piece, RW, libc.MAP_SHARED | libc.MAP_FIXED, fd, 0n);
    }
    const source = new Uint8Array(length);
    source[length - 1] = 99;
    expectThrows('EFAULT', 'poke', () => poke(addr, source)); // the file has no pages yet
    ftruncateSync(fd, piece);
    poke(addr, source);
    expect([...peek(addr + BigInt(length - 2), 2)]).toEqual([0, 99]);
    closeSync(fd);
    libc.munmap(addr, length);
  });

  test('wants a Uint8Array', () => {
    const addr = anonymous(1);
    for (const bad of ['text', [1, 2], new ArrayBuffer(2), new Uint16Array(2), null, undefined]) {
      expectTypeError('bytes', () => Reflect.apply(poke, undefined, [addr, bad]));
    }
  });
});

describe('view', () => {
  test('is the memory itself', () => {
    const addr = anonymous(2);
    const bytes = new Uint8Array(view(addr + 100n, PAGE));
    bytes[0] = 42;
    expect(peek(addr + 100n, 1)[0]).toBe(42);
    poke(addr + 101n, Buffer.from([43]));
    expect(bytes[1]).toBe(43);
    expect(new Uint8Array(view(addr + 100n, 2))[1]).toBe(43);
    expect(view(addr, 0).byteLength).toBe(0);
  });

  test('of foreign or inaccessible memory is refused', () => {
    const addr = anonymous(3);
    expectNotOwned('view', () => view(libcText().start, 16));
    expectNotOwned('view', () => view(page(addr, 2), 2 * PAGE));
    expectNotOwned('view', () => view(2n ** 64n - 1n, 1));
    libc.mprotect(page(addr, 1), PAGE, libc.PROT_READ);
    expectThrows('EACCES', 'view', () => view(addr, 2 * PAGE));
    libc.mprotect(page(addr, 1), PAGE, libc.PROT_NONE);
    expectThrows('EACCES', 'view', () => view(page(addr, 1) + 10n, 10));
    expectThrows('EACCES', 'view', () => view(anonymous(1, libc.PROT_WRITE), PAGE));
    libc.mprotect(page(addr, 1), PAGE, RW);
    expect(view(addr, 3 * PAGE).byteLength).toBe(3 * PAGE);
  });

  describe.each(NODES)('on %s', (node) => {
    test('longer than this Node’s longest ArrayBuffer is a RangeError, and holds on to nothing', async () => {
      expect(
        await said(
          `const length = 5 * 2 ** 30, { MAX_LENGTH } = require('node:buffer').constants;
           const addr = libc.mmap(0n, length, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_NORESERVE, -1, 0);
           say(outcome(() => libc.view(addr, length)) === (length <= MAX_LENGTH ? 'ok' : 'ERR_OUT_OF_RANGE'));
           say(libc.view(addr, 4 * 2 ** 30).byteLength);
           say(outcome(() => libc.munmap(addr, length)));`,
          { node },
        ),
      ).toEqual([true, 4 * 2 ** 30, 'ok']);
    });

    test('alloca of no size at all ends the process, at any depth of the stack', async () => {
      expect(
        await said(
          `const sizes = Array.from({ length: 90 }, (_, i) => i * 100_000);
           const tried = () => new Set(sizes.map((size) => outcome(() => libc.alloca(size, (bytes) => bytes.fill(1)))));
           const deep = (depth) => (depth === 0 ? tried() : deep(depth - 1));
           for (const depth of [0, 3000, 5000]) say([...deep(depth)]);`,
          { node },
        ),
      ).toEqual([expect.arrayContaining(['ok', 'ERR_OUT_OF_RANGE']), expect.any(Array), expect.any(Array)]);
    });
  });

  test('bad arguments name the parameter', () => {
    expectTypeError('addr', () => Reflect.apply(view, undefined, [1, 1]));
    expectTypeError('length', () => Reflect.apply(view, undefined, [1n]));
    expectRangeError('length', () => view(1n, 0.5));
  });
});

describe('alloca', () => {
  test('lends bytes of the thread’s own stack, and detaches the view when fn returns', () => {
    let kept: Uint8Array | undefined;
    const result = alloca(1000, (bytes, addr) => {
      kept = bytes.fill(7);
      expect(mappingAt(addr)?.path).toBe('[stack]');
      expect([...peek(addr, 1000)]).toEqual(Array(1000).fill(7));
      expect(bytes.length).toBe(1000);
      return 'what fn returns';
    });
    expect(result).toBe('what fn returns');
    expect(kept?.length).toBe(0);
  });

  test('detaches it when fn throws, and passes on what it throws', () => {
    let kept: Uint8Array | undefined;
    const reason = { not: 'an Error' };
    let caught: unknown;
    try {
      alloca(64, (bytes) => {
        kept = bytes;
        throw reason;
      });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBe(reason);
    expect(kept?.length).toBe(0);
  });

  test('nests: each call has its own bytes', () => {
    const depths = alloca(256, (outer, high) => {
      outer.fill(1);
      const inner = alloca(256, (bytes, low) => {
        bytes.fill(2);
        return low < high && outer.every((byte) => byte === 1);
      });
      return [inner, outer.length, outer[255]];
    });
    expect(depths).toEqual([true, 256, 1]);
    expect(alloca(0, (bytes) => bytes.length)).toBe(0);
  });

  test('a size that would overflow the stack is a RangeError, and the next call works', () => {
    expectRefused('ERR_OUT_OF_RANGE', 'alloca', () => alloca(64 << 20, () => 0));
    expectRefused('ERR_OUT_OF_RANGE', 'alloca', () => alloca(Number.MAX_SAFE_INTEGER, () => 0));
    expect(alloca(100_000, (bytes) => bytes.length)).toBe(100_000);
  });

  test('works in a worker, on its stack, and survives the worker’s end in the middle', async () => {
    const answers = await said(`
      const { Worker } = require('node:worker_threads');
      const worker = (source) => new Worker(\`const { libc } = require(process.env.ADDON);
        const { parentPort } = require('node:worker_threads');\` + source, { eval: true });
      worker(\`libc.alloca(4096, (bytes, addr) => parentPort.postMessage({ addr, filled: bytes.fill(1).length }));
              try { libc.alloca(64 << 20, () => 0) } catch (error) { parentPort.postMessage(error.code) }\`)
        .on('message', (said) => say(said.addr ? [said.filled, /\\[stack\\]/.test(require('node:fs').readFileSync('/proc/self/maps', 'latin1')
            .split('\\n').find((line) => { const [, a, b] = /^(\\w+)-(\\w+)/.exec(line) ?? []; return a && BigInt('0x' + a) <= said.addr && said.addr < BigInt('0x' + b); }))] : said))
        .on('exit', () => {
          const endless = worker("libc.alloca(4096, (bytes) => { parentPort.postMessage(0); for (;;) bytes[0]++; })");
          endless.on('message', () => endless.terminate().then((code) => say('terminated')));
        });`);
    expect(answers).toEqual([[4096, false], 'ERR_OUT_OF_RANGE', 'terminated']);
  });

  describe.each(NODES)('on %s', (node) => {
    test('a view that was moved away is reported, where views can be moved', async () => {
      const [answer] = await said(
        `say(typeof ArrayBuffer.prototype.transfer === 'function'
           ? outcome(() => libc.alloca(64, (bytes) => { globalThis.moved = bytes.buffer.transfer(); }))
           : 'no transfer');
         say(outcome(() => libc.alloca(64, (bytes) => { if (structuredClone(bytes, { transfer: [] }).length !== 64) throw 1; })))`,
        { node },
      );
      expect(answer).toBe(
        node === process.execPath && !('transfer' in ArrayBuffer.prototype)
          ? 'no transfer'
          : 'ERR_MEMPROBE_VIEW_MOVED',
      );
    });
  });

  test('bad arguments name the parameter', async () => {
    expectTypeError('size', () => Reflect.apply(alloca, undefined, ['1', () => 0]));
    expectRangeError('size', () => alloca(-1, () => 0));
    expectTypeError('fn', () => Reflect.apply(alloca, undefined, [1]));
    expectTypeError('fn', () => Reflect.apply(alloca, undefined, [1, {}]));
    expect((await run(`libc.alloca(8, () => process.exit(7))`)).code).toBe(7);
  });
});
