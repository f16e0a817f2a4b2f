import { describe, expect, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import { said } from '../helpers/child.js';
import { expectRangeError, expectTypeError } from '../helpers/errors.js';

/**
 * Each program runs in a process of its own. In about 1 of 140 V8's code range lies right above the heap, and the break
 * can't rise at all: such a process is not asked further. Below the break there is free memory, so that malloc has no need
 * to move it meanwhile.
 */
async function withRoom(program: string): Promise<unknown[]> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const answers = await said(`
      const room = outcome(() => { libc.sbrk(1 << 24); libc.sbrk(-(1 << 24)); });
      if (room !== 'ok') { say('no room'); process.exit(); }
      libc.mallopt(c.M_TRIM_THRESHOLD, 1 << 26);
      Array.from({ length: 40 }, () => libc.malloc(100_000)).forEach(libc.free);
      ${program}`);
    if (answers[0] !== 'no room') return answers;
  }
  throw new Error('five processes in a row had no room above the heap');
}

const HEAP = `
  const heap = () => require('node:fs').readFileSync('/proc/self/maps', 'latin1').split('\\n').find((line) => line.includes('[heap]'));
  const heapEnd = () => BigInt('0x' + /-(\\w+)/.exec(heap())[1]);`;

describe('sbrk', () => {
  test('raises the end of [heap], gives usable memory, and lowers it again', async () => {
    expect(
      await withRoom(`${HEAP}
        const before = libc.sbrk(0), end = heapEnd();
        const memory = libc.sbrk(1 << 20);
        say([memory === before, libc.sbrk(0n) - before, heapEnd() - end]);
        const view = new Uint8Array(libc.view(memory, 1 << 20));
        view.fill(7);
        say(libc.peek(memory + 4096n, 1)[0]);
        say([libc.sbrk(-(1 << 20)) - before, libc.sbrk(0) === before, heapEnd() - end, view.length]);`),
    ).toEqual([[true, '1048576', '1048576'], 7, ['1048576', true, '0', 0]]);
  });

  test('takes misaligned increments, and gives back what it raised in pieces', async () => {
    expect(
      await withRoom(`
        const before = libc.sbrk(0);
        const first = libc.sbrk(100), second = libc.sbrk(5000n);
        libc.poke(first, new Uint8Array(5100).fill(3));
        say([second - first, outcome(() => libc.view(first, 5101))]);
        libc.sbrk(-1); libc.sbrk(-5000n);
        say([outcome(() => libc.sbrk(-100)), libc.sbrk(99) - before, outcome(() => libc.poke(first, new Uint8Array(100)))]);`),
    ).toEqual([
      ['100', 'ERR_MEMPROBE_NOT_OWNED'],
      ['ERR_MEMPROBE_NOT_OWNED', '99', 'ok'],
    ]);
  });

  test('is refused below what it raised, and underneath what glibc has grown since', async () => {
    expect(
      await withRoom(`
        say(outcome(() => libc.sbrk(-1)));
        const mine = libc.sbrk(4096);
        say(outcome(() => libc.sbrk(-4097)));
        // glibc's main arena grows above: with every block below the mmap threshold.
        const top = libc.sbrk(0);
        const blocks = [];
        while (libc.sbrk(0) === top && blocks.length < 1e5) blocks.push(libc.malloc(100_000));
        say([libc.sbrk(0) > top, outcome(() => libc.sbrk(-4096)), outcome(() => libc.brk(mine))]);
        blocks.forEach(libc.free);`),
    ).toEqual([
      'ERR_MEMPROBE_NOT_OWNED',
      'ERR_MEMPROBE_NOT_OWNED',
      [true, 'ERR_MEMPROBE_NOT_OWNED', 'ERR_MEMPROBE_NOT_OWNED'],
    ]);
  });

  test('more than there is room for is ENOMEM', async () => {
    expect(
      await withRoom(`
        say(outcome(() => libc.sbrk(2 ** 52)));
        try { libc.sbrk(2n ** 62n) } catch ({ code, errno, syscall }) { say({ code, errno, syscall }) }`),
    ).toEqual(['ENOMEM', { code: 'ENOMEM', errno: -12, syscall: 'sbrk' }]);
  });

  test('bad increments are named', () => {
    expectTypeError('increment', () => Reflect.apply(libc.sbrk, undefined, []));
    expectTypeError('increment', () => Reflect.apply(libc.sbrk, undefined, ['1']));
    for (const bad of [0.5, Number.NaN, 2 ** 53, 2n ** 63n])
      expectRangeError('increment', () => libc.sbrk(bad));
  });
});

describe('brk', () => {
  test('moves the break to an address, up and down, and detaches views above it', async () => {
    expect(
      await withRoom(`
        const before = libc.sbrk(0);
        say(libc.brk(before + 8192n) ?? 'undefined');
        const low = new Uint8Array(libc.view(before, 4096)), high = new Uint8Array(libc.view(before + 4096n, 4096));
        say(libc.sbrk(0) - before);
        libc.brk(before + 4096n);
        say([libc.sbrk(0) - before, low.length, high.length]);
        say([outcome(() => libc.brk(before - 4096n)), outcome(() => libc.brk(2n ** 62n)), outcome(() => libc.brk(before))]);`),
    ).toEqual(['undefined', '8192', ['4096', 4096, 0], ['ERR_MEMPROBE_NOT_OWNED', 'ENOMEM', 'ok']]);
  });

  test('goes up again over addresses that a view of was detached', async () => {
    expect(
      await withRoom(`
        const before = libc.sbrk(0), end = before + 65536n;
        libc.brk(end);
        const view = new Uint8Array(libc.view(before, 65536)).fill(7);
        libc.brk(before + 32768n);
        libc.brk(before + 16384n);
        libc.brk(end);
        say([libc.sbrk(0) === end, view.length, new Uint8Array(libc.view(before, 65536))[32768]]);`),
    ).toEqual([[true, 0, 0]]);
  });

  test('bad addresses are named', () => {
    expectTypeError('addr', () => Reflect.apply(libc.brk, undefined, [4096]));
    expectRangeError('addr', () => libc.brk(-1n));
  });
});
