import { describe, expect, test } from 'vitest';
import * as c from '../../lib/libc/index.js';
import type { HookReading } from '../../lib/libc/index.js';
import { needMallocDebug, runNode } from './preloaded.js';

const reading = (value: unknown): HookReading => value as HookReading;

describe('without the preload', () => {
  test('hooks.start says what to do', () => {
    expect(() => c.hooks.start()).toThrow(
      expect.objectContaining({
        code: 'ERR_MEMPROBE_UNSUPPORTED',
        message: expect.stringContaining('memprobe run'),
      }),
    );
    expect(c.hooks.read()).toEqual({ running: false, classes: [], sites: [], lost: 0 });
    c.hooks.stop();
  });

  test('the variables are there, empty, and so are the two that nobody calls any more', () => {
    const { __malloc_hook, __realloc_hook, __memalign_hook, __free_hook } = c;
    const { __malloc_initialize_hook, __after_morecore_hook } = c;
    const all = [
      __malloc_hook,
      __realloc_hook,
      __memalign_hook,
      __free_hook,
      __malloc_initialize_hook,
      __after_morecore_hook,
    ];
    expect(all.map((read) => read())).toEqual(Array(6).fill(0n));
  });

  test('malloc_get_state and malloc_set_state are not there', () => {
    const block = c.malloc(64);
    const unsupported = expect.objectContaining({ code: 'ERR_MEMPROBE_UNSUPPORTED' });
    expect(() => c.malloc_get_state()).toThrow(unsupported);
    expect(() => c.malloc_set_state(block)).toThrow(unsupported);
    c.free(block);
  });
});

describe('with the preload', () => {
  needMallocDebug();

  test('malloc_get_state is ENOSYS, malloc_set_state takes nothing any more', async () => {
    const { told } = await runNode(
      `tell(failure(() => c.malloc_get_state()).code);
       tell(c.malloc_set_state(c.calloc(1, 4096)));
       tell(failure(() => c.malloc_set_state(0n)).code);
       tell(failure(() => c.malloc_set_state(16n)).code);`,
      {},
    );
    expect(told).toEqual(['ENOSYS', -1, 'EINVAL', 'ERR_MEMPROBE_NOT_OWNED']);
  });

  test('blocks are counted by size class, allocated and freed', async () => {
    const { told } = await runNode(
      `c.hooks.start();
       for (let i = 0; i < 500; i++) c.malloc(40_000);
       const freed = Array.from({ length: 300 }, () => c.malloc(300_000));
       freed.forEach((block) => c.free(block));
       let block = c.memalign(4096, 3_000_000);
       block = c.realloc(block, 9_000_000);
       c.free(block);
       c.hooks.stop();
       tell(c.hooks.read());`,
      {},
    );
    const { classes, running } = reading(told[0]);
    const at = (bytes: number) => classes.find(({ from, to }) => from < bytes && bytes <= to);
    expect(running).toBe(false);
    expect(at(40_000)?.allocated.blocks).toBeGreaterThanOrEqual(500);
    expect(at(40_000)?.allocated.bytes).toBeGreaterThanOrEqual(500 * 40_000);
    expect(at(300_000)).toMatchObject({ allocated: { blocks: expect.any(Number) } });
    expect(at(300_000)?.freed.blocks).toBeGreaterThanOrEqual(300);
    expect(at(3_000_000)?.freed.blocks).toBe(1);
    expect(at(9_000_000)).toMatchObject({ allocated: { blocks: 1 }, freed: { blocks: 1 } });
  });

  test('every call site is sampled with sample 1, and the ring says what it lost', async () => {
    const { told } = await runNode(
      `c.hooks.start({ sample: 1 });
       for (let i = 0; i < 200; i++) c.free(c.malloc(77_000));
       const first = c.hooks.read();
       for (let i = 0; i < 40_000; i++) c.free(c.malloc(77_000));
       const second = c.hooks.read();
       c.hooks.stop();
       tell(first); tell(second);`,
      {},
    );
    const [first, second] = told.map(reading);
    const ours = first?.sites.find(
      ({ site, bytes }) => site.includes('memprobe.node') && bytes >= 200 * 77_000,
    );
    expect(ours?.call).toBe('malloc');
    expect(ours?.samples).toBeGreaterThanOrEqual(200);
    expect(first?.lost).toBe(0);
    expect(second?.lost).toBeGreaterThan(20_000);
  });

  test('a sample of every hundredth is a hundredth', async () => {
    const { told } = await runNode(
      `c.hooks.start({ sample: 100 });
       for (let i = 0; i < 50_000; i++) c.free(c.malloc(77_000));
       c.hooks.stop();
       tell(c.hooks.read());`,
      {},
    );
    const samples = reading(told[0]).sites.reduce((sum, site) => sum + site.samples, 0);
    expect(samples).toBeGreaterThanOrEqual(500);
    expect(samples).toBeLessThan(700);
  });

  test('threads are counted with it, and hooks outlive the worker that started them', async () => {
    const { told, code, stderr } = await runNode(
      `const url = ${JSON.stringify(new URL('../../dist/libc/index.js', import.meta.url).href)};
       const starter = new Worker('import(' + JSON.stringify(url) + ').then((c) => c.hooks.start({ sample: 10 }))', { eval: true });
       await once(starter, 'exit');
       await Promise.all([allocating(), allocating(), allocating()].map((worker) => once(worker, 'exit')));
       for (let i = 0; i < 5; i++) { c.hooks.stop(); c.hooks.start({ sample: 3 }); }
       const racing = allocating();
       const ended = once(racing, 'exit');
       tell(failure(() => c.hooks.start()).code);
       for (let i = 0; i < 2000; i++) { c.hooks.stop(); c.hooks.start({ sample: 3 }); }
       await ended;
       tell(c.hooks.read().running);`,
      {},
    );
    expect([code, stderr, told]).toEqual([0, '', ['ERR_MEMPROBE_BUSY', true]]);
  });

  test('three threads lose no count', async () => {
    const { told } = await runNode(
      `c.hooks.start();
       await Promise.all([allocating(), allocating(), allocating()].map((worker) => once(worker, 'exit')));
       c.hooks.stop();
       tell(c.hooks.read());`,
      {},
    );
    const blocks = reading(told[0]).classes.reduce((sum, { allocated }) => sum + allocated.blocks, 0);
    expect(blocks).toBeGreaterThanOrEqual(60_000);
  });

  test('the variables hold functions between start and stop', async () => {
    const { told } = await runNode(
      `const four = () => [c.__malloc_hook(), c.__realloc_hook(), c.__memalign_hook(), c.__free_hook()].map((hook) => hook !== 0n);
       tell(four()); c.hooks.start(); tell(four()); tell(mallocDebug.status()); c.hooks.stop(); tell(four());`,
      {},
    );
    expect(told[0]).toEqual(Array(4).fill(false));
    expect(told[1]).toEqual(Array(4).fill(true));
    expect(told[2]).toMatchObject({ active: true, hooks: true, mcheck: false, mtrace: false });
    expect(told[3]).toEqual(Array(4).fill(false));
  });

  test('MALLOC_CHECK_, whose blocks are marked, is refused', async () => {
    const { told } = await runNode('tell(failure(() => c.hooks.start()).code);', {
      env: { ...process.env, MALLOC_CHECK_: '3' },
    });
    expect(told).toEqual(['ERR_MEMPROBE_BUSY']);
  });

  test('a sample must be a whole number', async () => {
    const { told } = await runNode(
      `for (const sample of [-1, 1.5, '2']) tell(failure(() => c.hooks.start({ sample })).code);`,
      {},
    );
    expect(told).toEqual(['ERR_OUT_OF_RANGE', 'ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_TYPE']);
  });
});
