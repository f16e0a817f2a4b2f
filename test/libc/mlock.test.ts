import { describe, expect, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import { isRoot, said } from '../helpers/child.js';
import { expectRangeError, expectThrows, expectTypeError } from '../helpers/errors.js';
import { anonymous, hole, PAGE, page } from '../helpers/memory.js';
import { smaps, status } from '../helpers/witness.js';

const { mlock, mlock2, munlock, mincore } = libc;

describe('mlock', () => {
  test('pins the pages and raises VmLck; munlock takes it back', () => {
    const addr = anonymous(4);
    const before = status('VmLck');
    mlock(addr, 4 * PAGE);
    expect(status('VmLck') - before).toBe(16);
    expect([...mincore(addr, 4 * PAGE)]).toEqual([1, 1, 1, 1]);
    expect(smaps(addr).Locked).toBe('16 kB');
    munlock(addr, 4 * PAGE);
    expect(status('VmLck')).toBe(before);
  });

  test('rounds out to pages', () => {
    const addr = anonymous(2);
    const before = status('VmLck');
    mlock(addr + 4000n, 200);
    expect(status('VmLck') - before).toBe(8);
    munlock(addr, 2 * PAGE);
  });

  test('fails with ENOMEM at a hole, and has locked what lies before it', () => {
    const addr = anonymous(3);
    libc.munmap(page(addr, 1), PAGE);
    const before = status('VmLck');
    expectThrows('ENOMEM', 'mlock', () => mlock(addr, 3 * PAGE));
    expect(status('VmLck') - before).toBe(4);
    munlock(addr, PAGE);
    expectThrows('ENOMEM', 'mlock', () => mlock(hole(1), PAGE));
  });

  test('over RLIMIT_MEMLOCK it is refused, and the message names the range', async () => {
    const answers = await said(
      `const addr = anonymous(1 << 20);
       libc.mlock(addr, 4096);
       try { libc.mlock(addr, 1 << 20) } catch ({ code, errno, syscall, message }) {
         say({ code, errno, syscall }); say(message.includes('mlock 0x' + addr.toString(16) + '+1048576')); }`,
      { before: 'ulimit -l 64', ...(isRoot ? { uid: 65534 } : {}) },
    );
    expect(answers).toEqual([{ code: 'ENOMEM', errno: -12, syscall: 'mlock' }, true]);
  });

  test('with no limit at all left it is EPERM', async () => {
    const answers = await said(`say(outcome(() => libc.mlock(anonymous(4096), 4096)))`, {
      before: 'ulimit -l 0',
      ...(isRoot ? { uid: 65534 } : {}),
    });
    expect(answers).toEqual(['EPERM']);
  });

  test('of what may be V8’s is refused, and so is mlockall: V8 ends the process over a locked page', async () => {
    expect(
      await said(
        `
        const maps = require('node:fs').readFileSync('/proc/self/maps', 'latin1').split('\\n')
          .map((line) => /^(\\w+)-(\\w+) (\\S+) \\S+ \\S+ \\S+ *(.*)$/.exec(line)).filter(Boolean)
          .map(([, start, end, perms, path]) => ({ start: BigInt('0x' + start), length: Number(BigInt('0x' + end) - BigInt('0x' + start)), perms, path }));
        const ours = anonymous(8192), block = libc.malloc(1 << 20);
        for (const { start, length, perms } of maps.filter(({ perms, path }) => perms[0] === 'r' && /^$|^.anon/.test(path)))
          for (const lock of [() => libc.mlock(start, length), () => libc.mlock2(start, 1, c.MLOCK_ONFAULT)])
            if (outcome(lock) !== 'ERR_MEMPROBE_NOT_OWNED') say(['locked', start]);
        say([outcome(() => libc.mlock(4096n, 2 ** 47)), outcome(() => libc.mlockall(c.MCL_CURRENT)), outcome(() => libc.mlockall(c.MCL_FUTURE | c.MCL_ONFAULT)),
          outcome(() => libc.mlockall(0)), outcome(() => libc.mlockall(64)), outcome(() => libc.mlockall(c.MCL_ONFAULT))]);
        const code = maps.find(({ perms, path }) => perms === 'r-xp' && path.includes('libc.so'));
        say([outcome(() => libc.mlock(ours, 8192)), outcome(() => libc.mlock(ours + 4095n, 2)), outcome(() => libc.mlock(block, 1 << 20)),
          outcome(() => libc.mlock(code.start, 4096))]);
        for (let i = 0; i < 1e5; i++) new Array(10);
        gc();`,
        { args: ['--expose-gc'] },
      ),
    ).toEqual([
      [...Array<string>(3).fill('ERR_MEMPROBE_NOT_OWNED'), 'EINVAL', 'EINVAL', 'EINVAL'],
      ['ok', 'ok', 'ok', 'ok'],
    ]);
  });

  test('bad arguments name the parameter', () => {
    expectTypeError('addr', () => Reflect.apply(mlock, undefined, [4096, 1]));
    expectTypeError('length', () => Reflect.apply(mlock, undefined, [4096n, 1n]));
    expectTypeError('length', () => Reflect.apply(mlock, undefined, [4096n]));
    expectRangeError('length', () => munlock(0n, Number.NaN));
  });
});

test('mlock2 with MLOCK_ONFAULT locks a page when it is touched', () => {
  const addr = anonymous(4);
  mlock2(addr, 4 * PAGE, libc.MLOCK_ONFAULT);
  expect([...mincore(addr, 4 * PAGE)]).toEqual([0, 0, 0, 0]);
  libc.poke(page(addr, 2), new Uint8Array(1));
  expect([...mincore(addr, 4 * PAGE)]).toEqual([0, 0, 1, 0]);
  expect(smaps(addr).Locked).toBe('4 kB');
  expectThrows('EINVAL', 'mlock2', () => mlock2(addr, PAGE, 64));
  expectRangeError('flags', () => mlock2(addr, PAGE, -1));
  munlock(addr, 4 * PAGE);
});

test.runIf(isRoot)(
  'mlockall(MCL_FUTURE | MCL_ONFAULT) of memprobe/unsafe locks what is mapped from then on; munlockall ends it',
  async () => {
    expect(
      await said(
        `
      const locked = (addr) => require('node:fs').readFileSync('/proc/self/smaps', 'latin1')
        .split(/^(?=[0-9a-f]+-)/m).find((entry) => { const [, start, end] = /^(\\w+)-(\\w+)/.exec(entry);
          return BigInt('0x' + start) <= addr && addr < BigInt('0x' + end); }).includes(' lo');
      unsafe.mlockall(c.MCL_FUTURE | c.MCL_ONFAULT);
      const addr = anonymous(4096);
      say(locked(addr));
      libc.munlockall();
      say([locked(addr), locked(anonymous(4096))]);`,
        { args: ['--min-semi-space-size=16'] }, // no garbage is collected meanwhile: V8 can't give up locked pages
      ),
    ).toEqual([true, [false, false]]);
  },
);
