import { describe, expect, test } from 'vitest';
import {
  free,
  MCHECK_DISABLED,
  MCHECK_FREE,
  MCHECK_HEAD,
  MCHECK_OK,
  MCHECK_TAIL,
  malloc,
  mcheck,
  mcheck_check_all,
  mcheck_pedantic,
  mcheckStatus,
  mprobe,
} from '../../lib/libc/index.js';
import { findMallocDebug } from '../../lib/malloc_debug.js';
import { needMallocDebug, runNode } from './preloaded.js';

const unsupported = expect.objectContaining({ code: 'ERR_MEMPROBE_UNSUPPORTED' });

describe('in a plain Node', () => {
  test('mprobe says that mcheck is off, as in C', () => {
    const block = malloc(10);
    expect(mprobe(block)).toBe(MCHECK_DISABLED);
    free(block);
  });

  test('mprobe wants a live block of memprobe', () => {
    const block = malloc(10);
    free(block);
    for (const address of [block, 0x1000n]) {
      expect(() => mprobe(address)).toThrow(expect.objectContaining({ code: 'ERR_MEMPROBE_NOT_OWNED' }));
    }
    expect(() => mprobe(0n)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  test('turning it on says how, instead of doing nothing', () => {
    for (const call of [() => mcheck(), () => mcheck_pedantic(null), () => mcheck_check_all()]) {
      expect(call).toThrow(unsupported);
    }
  });

  test('no JavaScript function can be the abort function', () => {
    // @ts-expect-error: only null is
    expect(() => mcheck(() => {})).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  });

  test('every status has its name', () => {
    const all = { MCHECK_DISABLED, MCHECK_OK, MCHECK_FREE, MCHECK_HEAD, MCHECK_TAIL };
    for (const [name, status] of Object.entries(all)) expect(mcheckStatus(status)).toContain(name);
    expect(mcheckStatus(99)).toContain('99');
  });
});

test('with the preload but not from the start it is too late, and says so', async (context) => {
  if (findMallocDebug() === undefined) context.skip('libc_malloc_debug.so.0 is not installed');
  const { told } = await runNode('tell(failure(() => c.mcheck(null))); tell(c.mprobe(c.malloc(1)));', {});
  expect(told).toEqual([
    { code: 'ERR_MEMPROBE_TOO_LATE', message: expect.stringContaining('--mcheck') },
    MCHECK_DISABLED,
  ]);
});

describe('from the start', () => {
  needMallocDebug();

  const on = { mcheck: true } as const;

  test('it is on, and sound blocks of all kinds are found sound', async () => {
    const { told, code, stderr } = await runNode(
      `tell(mallocDebug.status().mcheck);
       tell(failure(() => c.mcheck()));
       const blocks = [c.malloc(10), c.calloc(3, 5), c.memalign(256, 100), c.realloc(c.malloc(8), 9000)];
       tell(blocks.map(c.mprobe));
       tell(c.malloc_usable_size(blocks[0]));
       tell(c.mcheck_check_all());
       blocks.forEach((block) => c.free(block));`,
      on,
    );
    expect([code, stderr, told]).toEqual([0, '', [true, {}, Array(4).fill(MCHECK_OK), 10, []]]);
  });

  test('a byte past the end is found by mprobe and mcheck_check_all, which return', async () => {
    const { told, code } = await runNode(
      `const block = c.malloc(24);
       tell(String(block));
       unsafe.poke(block + 24n, Uint8Array.of(1));
       tell(c.mprobe(block));
       tell(c.mcheck_check_all());
       tell(await promises.mcheck_check_all());
       process.reallyExit(0);`,
      on,
    );
    const [block] = told;
    const found = [{ block, size: 24, status: MCHECK_TAIL }];
    expect([code, ...told.slice(1)]).toEqual([0, MCHECK_TAIL, found, found]);
  });

  test('mcheck_check_all sees past an overwritten header, whether its block came first or last', async () => {
    const { told, code } = await runNode(
      `const [older, broken, newer] = [24, 25, 26].map((size) => c.malloc(size));
       for (const [block, size] of [[older, 24n], [newer, 26n]]) unsafe.poke(block + size, Uint8Array.of(1));
       unsafe.poke(broken - 1n, Uint8Array.of(1));
       tell([older, broken, newer]);
       tell(c.mcheck_check_all().map(({ block, status }) => [block, status]));
       process.reallyExit(0);`,
      on,
    );
    const [[older, broken, newer] = [], found] = told as [string[], unknown];
    expect(code).toBe(0);
    expect(found).toEqual([
      [older, MCHECK_TAIL],
      [broken, MCHECK_HEAD],
      [newer, MCHECK_TAIL],
    ]);
  });

  test('the newest block is known after every way to make, move and free one', async () => {
    const { told, code } = await runNode(
      `const probe = c.malloc(10);
       unsafe.poke(probe - 1n, Uint8Array.of(1));
       const ways = [() => c.malloc(20), () => c.calloc(2, 10), () => c.realloc(c.malloc(8), 20), () => c.realloc(c.memalign(64, 8), 20),
         () => c.posix_memalign(64, 20), () => c.aligned_alloc(64, 64), () => c.memalign(256, 20), () => c.valloc(20)];
       for (const make of ways) {
         const block = make();
         unsafe.poke(block + BigInt(c.malloc_usable_size(block)), Uint8Array.of(1));
         tell(c.mcheck_check_all().some((bad) => bad.block === block));
         unsafe.poke(block + BigInt(c.malloc_usable_size(block)), Uint8Array.of(0xd7));
         c.free(block);
       }
       process.reallyExit(0);`,
      on,
    );
    expect([code, told]).toEqual([0, Array(8).fill(true)]);
  });

  test('a block that could not be resized is checked as before, and freeing it harms no other', async () => {
    const { told, code, stderr } = await runNode(
      `for (let round = 0; round < 50; round++) {
         const [older, block, newer] = Array.from({ length: 3 }, () => c.malloc(64));
         if (failure(() => c.realloc(block, 2 ** 46)).code !== 'ENOMEM') tell('it could be resized');
         c.free(newer);
         c.free(older);
         const others = Array.from({ length: 20 }, () => c.malloc(64));
         c.free(block);
         if (c.mcheck_check_all().length > 0) tell('others were harmed');
         others.forEach((other) => c.free(other));
       }
       const block = c.malloc(24);
       failure(() => c.realloc(block, 2 ** 46));
       unsafe.poke(block + 24n, Uint8Array.of(1));
       tell(c.mcheck_check_all().map(({ status }) => status));
       process.reallyExit(0);`,
      on,
    );
    expect([code, stderr, told]).toEqual([0, '', [[MCHECK_TAIL]]]);
  });

  test('mcheck_check_all leaves checking as fast as it was', async () => {
    const { told } = await runNode(
      `const keep = Array.from({ length: 20000 }, () => c.malloc(32));
       const time = () => { const start = process.cpuUsage(); for (let i = 0; i < 2000; i++) c.free(c.malloc(32)); return process.cpuUsage(start).user; };
       time();
       const before = time();
       c.mcheck_check_all();
       tell([before, Math.min(...Array.from({ length: 5 }, time))]);`,
      on,
    );
    const [[before = 0, after = Infinity] = []] = told as number[][];
    expect(after).toBeLessThan(before * 20 + 20_000);
  });

  test.each([
    ['past its end', 'unsafe.poke(block + 24n, Uint8Array.of(1));', 'MCHECK_TAIL', 'of 24 bytes'],
    ['before it', 'unsafe.poke(block - 1n, Uint8Array.of(1));', 'MCHECK_HEAD', 'clobbered before'],
    ['twice freed', 'unsafe.free(block);', 'MCHECK_FREE', 'freed twice'],
  ])(
    'a block written or freed wrongly (%s) ends the program with its status, block and caller',
    async (_, harm, status, text) => {
      const { told, signal, stderr } = await runNode(
        `const block = unsafe.malloc(24); tell('0x' + block.toString(16)); ${harm} unsafe.free(block); tell('still here');`,
        on,
      );
      expect([signal, told.length]).toEqual(['SIGABRT', 1]);
      const report = stderr.split('\n').find((line) => line.startsWith('memprobe: mcheck:'));
      for (const part of [status, text, String(told[0]), 'found in free', 'memprobe.node']) {
        expect(report).toContain(part);
      }
    },
  );

  test('threads that allocate at once are no damage', async () => {
    const { code, stderr } = await runNode(
      `await Promise.all([allocating(), allocating(), allocating()].map((worker) => once(worker, 'exit')));
       tell(c.mcheck_check_all().length);`,
      on,
    );
    expect([code, stderr]).toEqual([0, '']);
  });

  test('what the program starts is checked too', async () => {
    const { told } = await runNode(
      `import { execFileSync } from 'node:child_process';
       tell(String(execFileSync(process.execPath, ['-p', 'process.env.LD_PRELOAD.includes("mcheck")'])).trim());`,
      on,
    );
    expect(told).toEqual(['true']);
  });

  test('hooks and traces, which would be wrong under it, are refused', async () => {
    const { told } = await runNode(
      `tell(failure(() => c.hooks.start()).code); tell(failure(() => c.mtrace('/nonexistent/x')).code);`,
      on,
    );
    expect(told).toEqual(['ERR_MEMPROBE_BUSY', 'ERR_MEMPROBE_BUSY']);
  });
});
