/** Many threads at the same guard: nothing is lost, nothing is left, nobody waits for ever. */
import { describe, expect, test } from 'vitest';
import { NODES, NOTHING_HELD, run, said } from './helpers/child.js';

/** A worker's program: takes and gives what all threads share in `slots`, rightly and wrongly. */
const BRAWL = `
  const { libc, promises, constants: c } = require(process.env.ADDON);
  const { workerData: { slots, seed, rounds }, parentPort } = require('node:worker_threads');
  let state = seed;
  const random = (n) => ((state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 8) % n;
  const tolerated = new Set(['ERR_MEMPROBE_NOT_OWNED', 'EBUSY', 'EACCES', 'EFAULT', 'ENOMEM', 'ERR_MEMPROBE_STALE_HANDLE']);
  const attempt = (call) => { try { call(); } catch (error) { if (!tolerated.has(error.code)) throw error; } };
  const length = (addr) => 4096 * Number((addr >> 12n) % 3n + 1n);
  const give = (i, addr) => { const old = Atomics.exchange(slots, i, addr); if (old) end(i, old); };
  const end = (i, addr) => attempt(() => i < 32 ? libc.munmap(addr, length(addr)) : libc.free(addr));
  const map = () => { for (;;) { const at = libc.mmap(0n, 3 * 4096, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS, -1, 0);
    const kept = length(at); if (kept < 3 * 4096) attempt(() => libc.munmap(at + BigInt(kept), 3 * 4096 - kept)); // somebody may look at it already
    return at; } };
  const deeds = [
    (i) => give(i, i < 32 ? map() : libc.malloc(random(10000))),
    (i) => end(i, Atomics.exchange(slots, i, 0n)),
    (i) => end(i, Atomics.load(slots, i)), // stolen: somebody else may be at it
    (i) => attempt(() => { new Uint8Array(libc.view(Atomics.load(slots, i), 64)).fill(1); }),
    (i) => attempt(() => libc.poke(Atomics.load(slots, i), new Uint8Array(16))),
    (i) => attempt(() => libc.mprotect(Atomics.load(slots, i & 31), 4096, 3)),
    (i) => { promises.peek(Atomics.load(slots, i), 4096).catch(() => {}); },
    (i) => { promises.munmap(Atomics.load(slots, i & 31), 4096).catch(() => {}); },
    (i) => attempt(() => { const held = libc.mapping_create(map(), 4096, -1, '{}'); libc.mapping_view(held, 0, 64); if (i & 1) libc.mapping_close(held); }),
  ];
  let round = 0;
  (function some() {
    for (let n = 0; n < 100 && round < rounds; n++, round++) deeds[random(deeds.length)](random(64));
    if (round === rounds >> 1) parentPort.postMessage('half-way');
    if (round < rounds) setImmediate(some);
  })();`;

describe.each(NODES)('on %s', (node) => {
  test('eight workers brawl, four are terminated half-way, and the books are right afterwards', async () => {
    const [codes, problems, left] = await said(
      `const { Worker } = require('node:worker_threads');
         const slots = new BigUint64Array(new SharedArrayBuffer(64 * 8));
         const brawl = (n) => new Promise((resolve, reject) => {
           const worker = new Worker(${JSON.stringify(BRAWL)}, { eval: true, workerData: { slots, seed: n * 7919 + 1, rounds: 2000 } });
           worker.on('error', reject).on('exit', (code) => resolve(n < 4 ? 0 : code));
           if (n < 4) worker.on('message', () => worker.terminate());
         });
         (async () => {
           say(await Promise.all([...Array(8).keys()].map(brawl)));
           say(libc.guard_check());
           // What is left is nobody's view and in no call: all of it can go.
           const ranges = libc.owned_ranges();
           for (let i = 0; i < ranges.length; i += 2) outcome(() => libc.munmap(ranges[i], Number(ranges[i + 1] - ranges[i])));
           for (const addr of slots.subarray(32)) outcome(() => libc.free(addr));
           for (let i = 0; i < 100 && libc.guard_counts().stale > 0; i++) { gc(); await new Promise((next) => setTimeout(next, 10)); }
           say(libc.guard_counts());
         })();`,
      { node, args: ['--expose-gc'] },
    );
    expect(codes).toEqual(Array(8).fill(0));
    expect(problems).toEqual([]);
    expect(left).toMatchObject({
      ranges: 0,
      pins: 0,
      views: 0,
      stale: 0,
      retired: 0,
      shares: 0,
      orphans: 0,
    });
  });

  test('the addon is loaded and unloaded 200 times in workers, and leaves nothing', async () => {
    const { code, stdout, stderr } = await run(
      `const { Worker } = require('node:worker_threads');
         const source = \`const { libc, promises, constants: c } = require(process.env.ADDON);
           const addr = libc.mmap(0n, 8192, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS, -1, 0), block = libc.malloc(50);
           globalThis.views = [libc.view(addr, 100), libc.view(block, 50)];
           globalThis.held = libc.mapping_create(libc.mmap(0n, 4096, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS, -1, 0), 4096, -1, '');
           globalThis.window = libc.mapping_view(held, 0, 10);
           promises.peek(addr, 8192);
           require('node:worker_threads').parentPort.postMessage([addr, block]);
           if (addr % 8192n === 0n) process.exit();\`;
         const left = [];
         const one = () => new Promise((resolve, reject) => new Worker(source, { eval: true })
           .on('message', (made) => left.push(made)).on('exit', resolve).on('error', reject));
         (async () => {
           for (let i = 0; i < 200; i += 4) await Promise.all([one(), one(), one(), one()]);
           for (const [addr, block] of left) { libc.munmap(addr, 8192); libc.free(block); }
           say([left.length, libc.guard_check(), libc.guard_counts()]);
         })();`,
      { node },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [loads, problems, counts]: unknown[] = JSON.parse(stdout);
    expect([loads, problems]).toEqual([200, []]);
    expect(counts).toMatchObject(NOTHING_HELD);
  });
});
