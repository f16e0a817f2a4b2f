/**
 * Memory that goes while an asynchronous call of Node's own (zlib, crypto, fs) still uses a view of it on another thread:
 * the guard can't know of such calls, and must survive them.
 */
import { describe, expect, test } from 'vitest';
import { NODES, said } from './helpers/child.js';

/** In a child: 16 MiB, a view of it, the ways to take memory away and the calls that go on using it. */
const SCENE = `
  const crypto = require('node:crypto'), fs = require('node:fs'), zlib = require('node:zlib');
  const size = 16 << 20;
  const random = fs.openSync('/dev/urandom'), sink = fs.openSync('/dev/null', 'w');
  const perms = (addr) => [...fs.readFileSync('/proc/self/maps', 'latin1').matchAll(/^(\\w+)-(\\w+) (\\S+)/gm)]
    .find(([, start, end]) => BigInt('0x' + start) <= addr && addr < BigInt('0x' + end))?.[3];
  const resident = () => Number(fs.readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * 4096;
  const uses = {
    // One chunk takes all that comes out: Node itself aborts when zlib's input is detached between two chunks.
    deflate: (bytes) => new Promise((resolve) => zlib.deflate(bytes, { chunkSize: 2 * size }, resolve)),
    randomFill: (bytes) => new Promise((resolve) => crypto.randomFill(bytes, resolve)),
    digest: (bytes) => crypto.subtle.digest('SHA-256', bytes),
    read: (bytes) => new Promise((resolve) => fs.read(random, bytes, 0, bytes.length, 0, resolve)),
    write: (bytes) => new Promise((resolve) => fs.write(sink, bytes, 0, bytes.length, null, resolve)),
  };
  const begun = (bytes) => { const running = Object.values(uses).map((use) => use(bytes)); const until = Date.now() + 10; while (Date.now() < until); return running; };
  const settled = async (running) => { await Promise.allSettled(running); };
  const collected = async (done) => { for (let i = 0; i < 200 && !done(); i++) { gc(); await new Promise((next) => setTimeout(next, 10)); } return done(); };
`;

const ways: Record<string, string> = {
  munmap: 'libc.munmap(addr, size)',
  'munmap of one page': 'libc.munmap(addr + 8192n, 4096)',
  'promised munmap': 'await promises.munmap(addr, size)',
  mprotect: 'libc.mprotect(addr, size, c.PROT_NONE)',
  'mremap elsewhere': 'libc.mremap(addr, size, size, c.MREMAP_MAYMOVE | c.MREMAP_FIXED, anonymous(size))',
  'mremap, shrinking': 'libc.mremap(addr, size, 4096, 0)',
  'MAP_FIXED of inaccessible pages':
    'libc.mmap(addr, size, c.PROT_NONE, c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_FIXED, -1, 0)',
  MADV_GUARD_INSTALL: 'outcome(() => libc.madvise(addr, size, c.MADV_GUARD_INSTALL))',
};

describe.each(NODES)('on %s', (node) => {
  // HTTP/2 keeps what the other side does not yet want to have, in no request of the event loop's; TLS reads it later.
  test('munmap of what waits in an HTTP/2 stream harms nobody', async () => {
    expect(
      await said(
        `${SCENE}
         const http2 = require('node:http2');
         const psk = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }, key = Buffer.alloc(16, 1);
         const server = http2.createSecureServer({ ...psk, pskCallback: () => key });
         const addr = anonymous(size), bytes = new Uint8Array(libc.view(addr, size)).fill(65);
         server.on('stream', (stream) => { stream.respond(); stream.end(bytes); });
         server.listen(0, () => {
           const client = http2.connect('https://localhost:' + server.address().port, { ...psk, checkServerIdentity: () => {},
             pskCallback: () => ({ psk: key, identity: 'x' }) });
           const request = client.request();
           request.on('response', () => setTimeout(() => {
             libc.munmap(addr, size);
             let length = 0;
             request.on('data', (data) => { length += data.length; }).on('end', () => {
               say([bytes.length, length === size]);
               client.close();
               server.close();
             });
           }, 200));
         });`,
        { node },
      ),
    ).toEqual([[0, true]]);
  });

  test.each(Object.entries(ways))('%s in the middle of them harms nobody', async (_, call) => {
    expect(
      await said(
        `${SCENE}
         (async () => {
           const addr = anonymous(size);
           const bytes = new Uint8Array(libc.view(addr, size)).fill(1);
           const running = begun(bytes);
           ${call};
           say(bytes.length);
           await settled(running);
           say('alive');
         })();`,
        { node },
      ),
    ).toEqual([0, 'alive']);
  });

  test.each(['free(addr)', 'realloc(addr, size * 2)', 'realloc(addr, 100)', 'realloc(addr, 0)'])(
    '%s harms nobody, and the block is known no more',
    async (call) => {
      expect(
        await said(
          `${SCENE}
           (async () => {
             const addr = libc.malloc(size);
             const bytes = new Uint8Array(libc.view(addr, size)).fill(7);
             const running = [uses.deflate(bytes), uses.read(bytes.subarray(4096))];
             const result = libc.${call};
             say([bytes.length, result ? libc.peek(result, 3).join() : '7,7,7', outcome(() => libc.free(addr))]);
             await settled(running);
             say('alive');
           })();`,
          { node },
        ),
      ).toEqual([[0, '7,7,7', 'ERR_MEMPROBE_NOT_OWNED'], 'alive']);
    },
  );

  test('a realloc that fails leaves the block to who uses it: free waits for them', async () => {
    expect(
      await said(
        `${SCENE}
         (async () => {
           const addr = libc.malloc(size);
           const bytes = new Uint8Array(libc.view(addr, size)).fill(7);
           const running = [uses.deflate(bytes), uses.read(bytes.subarray(4096))];
           say([outcome(() => libc.realloc(addr, 2 ** 46)), libc.peek(addr, 1)[0]]);
           libc.free(addr);
           const { blocks, retired } = libc.guard_counts();
           say([blocks, retired, libc.guard_check()]);
           await settled(running);
           say('alive');
         })();`,
        { node },
      ),
    ).toEqual([['ENOMEM', 7], [0, 1, []], 'alive']);
  });

  test('lowering the break harms nobody', async () => {
    expect(
      await said(
        `${SCENE}
         (async () => {
           let addr;
           try { addr = libc.sbrk(size); } catch { return say('no room above the break'); }
           const bytes = new Uint8Array(libc.view(addr, size)).fill(7);
           const running = begun(bytes);
           if (outcome(() => libc.brk(addr)) !== 'ok') return say('the break was moved by someone else');
           await settled(running);
           say('alive');
         })();`,
        { node },
      ),
    ).toEqual([expect.stringMatching(/alive|no room|someone else/)]);
  });

  test('the memory goes at once, its addresses and its block when nobody can have them any more', async () => {
    expect(
      await said(
        `${SCENE}
         (async () => {
           const addr = anonymous(size), block = libc.malloc(size);
           let bytes = [addr, block].map((at) => new Uint8Array(libc.view(at, size)).fill(1));
           const before = resident();
           const request = require('node:fs').promises.stat('/'); // from here it can't be told what it uses
           libc.munmap(addr, size);
           libc.free(block);
           await request;
           say([perms(addr), before - resident() > 1.5 * size, outcome(() => libc.peek(addr, 1))]);
           await new Promise(setImmediate);
           gc();
           say(perms(addr)); // \`bytes\` is still there
           bytes = undefined;
           say(await collected(() => [addr, block].every((at) => perms(at) !== '---p'))); // or somebody has them again
         })();`,
        { node, args: ['--expose-gc'] },
      ),
    ).toEqual([['---p', true, 'EFAULT'], '---p', true]);
  });
});

test('where no request is in flight, views hold nothing back', async () => {
  expect(
    await said(`${SCENE}
      const addr = anonymous(size), block = libc.malloc(size);
      const bytes = [addr, block].map((at) => new Uint8Array(libc.view(at, size)).fill(1));
      libc.munmap(addr, size);
      libc.free(block);
      say([perms(addr) === undefined, perms(block) === undefined, bytes[0].length]);`),
  ).toEqual([[true, true, 0]]);
});

test('memory that was never viewed is unmapped and freed at once', async () => {
  expect(
    await said(`${SCENE}
      const addr = anonymous(size), block = libc.malloc(size);
      libc.munmap(addr, size);
      libc.free(block);
      say([perms(addr) ?? 'gone', perms(block) ?? 'gone']);`),
  ).toEqual([['gone', 'gone']]);
});

test('a SIGSEGV elsewhere ends the process as it would have, and WebAssembly’s own become exceptions', async () => {
  const { run } = await import('./helpers/child.js');
  const scene = `
    const addr = anonymous(4096), view = libc.view(addr, 4096);
    libc.munmap(addr, 4096);`;
  const { signal } = await run(`${scene} new Uint8Array(unsafe.view(0x1000n, 8))[0] = 1;`);
  expect(signal).toBe('SIGSEGV');
  expect(
    await said(`${scene}
      const bytes = Uint8Array.of(0,97,115,109,1,0,0,0, 1,6,1,96,1,127,1,127, 3,2,1,0, 5,3,1,0,1, 7,5,1,1,102,0,0, 10,9,1,7,0,32,0,40,2,0,11);
      const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
      try { say(f(0)); f(1 << 20); } catch (error) { say(error.message); }`),
  ).toEqual([0, expect.stringContaining('out of bounds')]);
});
