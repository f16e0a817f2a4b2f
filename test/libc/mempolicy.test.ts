import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import koffi from 'koffi';
import { afterEach, describe, expect, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import * as promises from '../../lib/promises.js';
import { isRoot, said } from '../helpers/child.js';
import { program, refusing } from '../helpers/compile.js';
import {
  expectRangeError,
  expectSystemError,
  expectThrows,
  expectTypeError,
  rejected,
  thrown,
} from '../helpers/errors.js';
import { anonymous, hole, PAGE, page } from '../helpers/memory.js';
import { libcText } from '../helpers/witness.js';

const { mbind, set_mempolicy, get_mempolicy, move_pages, migrate_pages, set_mempolicy_home_node, poke } =
  libc;

const nodes = readdirSync('/sys/devices/system/node', { encoding: 'utf8' })
  .flatMap((name) => (/^node\d+$/.test(name) ? [Number(name.slice(4))] : []))
  .sort((a, b) => a - b);
const here = nodes[0] ?? 0;
const absent = (nodes.at(-1) ?? 0) + 5;

const numaMaps = (addr: bigint): string =>
  readFileSync('/proc/self/numa_maps', 'latin1')
    .split('\n')
    .find((line) => line.startsWith(addr.toString(16).padStart(8, '0'))) ?? '';

function touched(pages: number): bigint {
  const addr = anonymous(pages);
  for (let i = 0; i < pages; i++) poke(page(addr, i), new Uint8Array(1));
  return addr;
}

afterEach(() => set_mempolicy(libc.MPOL_DEFAULT, null));

describe('set_mempolicy and get_mempolicy', () => {
  test.each([
    ['MPOL_PREFERRED', []],
    ['MPOL_PREFERRED', [here]],
    ['MPOL_BIND', [here]],
    ['MPOL_INTERLEAVE', new Set(nodes)],
    ['MPOL_LOCAL', null],
    ['MPOL_PREFERRED_MANY', nodes.values()],
  ] as const)('%s with %s is what the kernel then has', (mode, mask) => {
    const wanted = mask === null ? [] : [...(Array.isArray(mask) || mask instanceof Set ? mask : nodes)];
    set_mempolicy(libc[mode], mask);
    const local = mode === 'MPOL_PREFERRED' && wanted.length === 0;
    expect(get_mempolicy()).toEqual({ mode: local ? libc.MPOL_LOCAL : libc[mode], nodes: wanted });
  });

  test('mode flags come back with the mode', () => {
    const mode = libc.MPOL_INTERLEAVE | libc.MPOL_F_STATIC_NODES;
    set_mempolicy(mode, [here]);
    expect(get_mempolicy()).toEqual({ mode, nodes: [here] });
    set_mempolicy(libc.MPOL_BIND | libc.MPOL_F_RELATIVE_NODES, [0]);
    expect(get_mempolicy()).toEqual({ mode: libc.MPOL_BIND | libc.MPOL_F_RELATIVE_NODES, nodes: [here] });
  });

  test('agree with koffi’s get_mempolicy', () => {
    const syscall = koffi
      .load(null)
      .func('long syscall(long, _Out_ int *, void *, unsigned long, uintptr_t, unsigned long)');
    const number = process.arch === 'x64' ? 239 : 236;
    for (const mode of [libc.MPOL_BIND, libc.MPOL_INTERLEAVE, libc.MPOL_LOCAL]) {
      set_mempolicy(mode, mode === libc.MPOL_LOCAL ? null : [here]);
      const out: [number] = [-1];
      const mask = new BigUint64Array(16);
      expect(syscall(number, out, mask, 1025, 0, 0)).toBe(0);
      const { mode: seen, nodes: set } = get_mempolicy();
      expect([seen, set.reduce((bits, node) => bits | (1n << BigInt(node)), 0n)]).toEqual([out[0], mask[0]]);
    }
  });

  test('MPOL_F_NODE says where interleaving goes on, MPOL_F_MEMS_ALLOWED which nodes may be used', () => {
    set_mempolicy(libc.MPOL_INTERLEAVE, [here]);
    expect(get_mempolicy(libc.NULL, libc.MPOL_F_NODE).mode).toBe(here);
    const allowed = /^Mems_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    expect(get_mempolicy(undefined, libc.MPOL_F_MEMS_ALLOWED).nodes).toHaveLength(
      (allowed ?? '').split(',').reduce((sum, range) => {
        const [first = 0, last = first] = range.split('-').map(Number);
        return sum + last - first + 1;
      }, 0),
    );
  });

  test('their errors are the kernel’s', () => {
    expectThrows('EINVAL', 'set_mempolicy', () => set_mempolicy(libc.MPOL_BIND, []));
    expectThrows('EINVAL', 'set_mempolicy', () => set_mempolicy(libc.MPOL_BIND, null));
    expectThrows('EINVAL', 'set_mempolicy', () => set_mempolicy(libc.MPOL_BIND, [absent]));
    expectThrows('EINVAL', 'set_mempolicy', () => set_mempolicy(libc.MPOL_DEFAULT, [here]));
    expectThrows('EINVAL', 'set_mempolicy', () => set_mempolicy(4711, [here]));
    expectThrows('EINVAL', 'get_mempolicy', () => get_mempolicy(4096n));
    expectThrows('EINVAL', 'get_mempolicy', () => get_mempolicy(undefined, 0x80));
    expectThrows('EFAULT', 'get_mempolicy', () => get_mempolicy(hole(1), libc.MPOL_F_ADDR));
    expect(thrown(() => set_mempolicy(libc.MPOL_BIND, [absent, 700, 701, 702])).message).toMatch(
      `set_mempolicy 2, ${absent},700-702`,
    );
  });

  test('a policy is inherited by child processes and Workers, and by no thread that runs already', async () => {
    const answers = await said(`
      const { Worker } = require('node:worker_threads');
      const tell = "const { libc } = require(process.env.ADDON); const { parentPort } = require('node:worker_threads');" +
        "parentPort.on('message', () => parentPort.postMessage(libc.get_mempolicy().mode)).postMessage(libc.get_mempolicy().mode);";
      const answer = (worker) => new Promise((done) => worker.once('message', done));
      (async () => {
        const before = new Worker(tell, { eval: true });
        say(await answer(before));
        libc.set_mempolicy(c.MPOL_INTERLEAVE, [${here}]);
        before.postMessage('again');
        say(await answer(before));
        const after = new Worker(tell, { eval: true });
        say(await answer(after));
        const child = require('node:child_process').spawnSync(process.execPath, ['-p',
          "require(process.env.ADDON).libc.get_mempolicy().mode"], { encoding: 'utf8' });
        say(Number(child.stdout));
        await Promise.all([before.terminate(), after.terminate()]);
      })();`);
    expect(answers).toEqual([0, 0, libc.MPOL_INTERLEAVE, libc.MPOL_INTERLEAVE]);
  });
});

/**
 * The same calls from C, the mask spelled out: for each mode, mode flag and mask the errno, or the policy that results.
 * With MPOL_F_STATIC_NODES the kernel gives back the mask as it was told, to its last bit.
 */
const MATRIX = `
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
  const int flags[] = {0, MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES,
                       1 << 13};
  const int sets[][3] = {{-1, -1, -1}, {0, -1, -1}, {0, 62, 63}, {0, ${absent}, -1}, {${absent}, -1, -1}, {63, 64, 1023}, {0, 1024, -1}, {0, 32767, -1}};
  putchar('[');
  for (int mode = 0; mode < 9; mode++)
    for (unsigned f = 0; f < sizeof flags / sizeof *flags; f++)
      for (unsigned s = 0; s < sizeof sets / sizeof *sets; s++) {
        unsigned long mask[512] = {0}, out[512] = {0};
        int got = 0;
        for (int i = 0; i < 3; i++) if (sets[s][i] >= 0) mask[sets[s][i] / 64] |= 1UL << sets[s][i] % 64;
        errno = 0;
        if (syscall(SYS_set_mempolicy, mode | flags[f], mask, 32769UL) == 0)
          syscall(SYS_get_mempolicy, &got, out, 32769UL, 0UL, 0UL);
        printf("[%d,%d,\\"%lu\\"],", -errno, got, out[0]);
        syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0UL);
      }
  puts("0]");
}
`;

test('every mode, mode flag and kind of mask gives what it gives in C', () => {
  const expected: unknown = JSON.parse(execFileSync(program(MATRIX), { encoding: 'utf8' }));
  const flags = [0, libc.MPOL_F_STATIC_NODES, libc.MPOL_F_RELATIVE_NODES];
  flags.push(libc.MPOL_F_STATIC_NODES | libc.MPOL_F_RELATIVE_NODES, libc.MPOL_F_NUMA_BALANCING);
  const sets = [[], [0], [0, 62, 63], [0, absent], [absent], [63, 64, 1023], [0, 1024], [0, 32767]];
  const ours: unknown[] = [];
  for (let mode = 0; mode < 9; mode++)
    for (const flag of flags)
      for (const set of sets) {
        let row: unknown[] = [0, 0, '0'];
        try {
          set_mempolicy(mode | flag, set);
          const { mode: got, nodes: out } = get_mempolicy();
          row = [0, got, String(out.reduce((bits, node) => bits | (1n << BigInt(node)), 0n))];
        } catch (error) {
          if (error instanceof Error && 'errno' in error) row = [error.errno, 0, '0'];
        }
        ours.push(row);
        set_mempolicy(libc.MPOL_DEFAULT, null);
      }
  expect(ours).toHaveLength(9 * 5 * 8);
  expect([...ours, 0]).toEqual(expected);
});

describe('mbind', () => {
  test('sets a range’s policy, as numa_maps and get_mempolicy have it', () => {
    const addr = touched(4);
    mbind(page(addr, 1), 2 * PAGE, libc.MPOL_INTERLEAVE, [here], 0);
    expect(numaMaps(page(addr, 1))).toMatch(new RegExp(`^\\w+ interleave:${here} `));
    expect(get_mempolicy(page(addr, 2), libc.MPOL_F_ADDR)).toEqual({
      mode: libc.MPOL_INTERLEAVE,
      nodes: [here],
    });
    expect(get_mempolicy(page(addr, 3), libc.MPOL_F_ADDR)).toEqual({ mode: libc.MPOL_DEFAULT, nodes: [] });
    mbind(page(addr, 1), 2 * PAGE, libc.MPOL_DEFAULT, null, 0);
    expect(get_mempolicy(page(addr, 1), libc.MPOL_F_ADDR).mode).toBe(libc.MPOL_DEFAULT);
  });

  test('takes the flags, keeps the content, and takes foreign memory too', () => {
    const addr = touched(2);
    poke(addr, Uint8Array.of(1, 2, 3));
    mbind(addr, 2 * PAGE, libc.MPOL_BIND, [here], libc.MPOL_MF_STRICT | libc.MPOL_MF_MOVE);
    expect([...libc.peek(addr, 3)]).toEqual([1, 2, 3]);
    const text = libcText().start;
    mbind(text, PAGE, libc.MPOL_PREFERRED, [here], 0);
    expect(get_mempolicy(text, libc.MPOL_F_ADDR).mode).toBe(libc.MPOL_PREFERRED);
    mbind(text, PAGE, libc.MPOL_DEFAULT, null, 0);
  });

  test('its errors are the kernel’s', () => {
    const addr = anonymous(1);
    expectThrows('EINVAL', 'mbind', () => mbind(addr + 1n, PAGE, libc.MPOL_BIND, [here], 0));
    expectThrows('EINVAL', 'mbind', () => mbind(addr, PAGE, libc.MPOL_BIND, [absent], 0));
    expectThrows('EINVAL', 'mbind', () => mbind(addr, PAGE, libc.MPOL_BIND, [here], 1 << 20));
    expectThrows('EINVAL', 'mbind', () => mbind(addr, PAGE, libc.MPOL_BIND, [here], libc.MPOL_MF_LAZY));
    expectThrows('EFAULT', 'mbind', () => mbind(hole(1), PAGE, libc.MPOL_BIND, [here], 0));
    mbind(addr, 0, libc.MPOL_BIND, [here], 0);
  });

  test('the promise pins its range and rejects as the call throws', async () => {
    const addr = anonymous(1);
    await promises.mbind(addr, PAGE, libc.MPOL_BIND, [here], 0);
    expect(get_mempolicy(addr, libc.MPOL_F_ADDR).mode).toBe(libc.MPOL_BIND);
    const error = await rejected(promises.mbind(addr, PAGE, libc.MPOL_BIND, [absent], 0));
    expectSystemError(error, 'EINVAL', 'mbind');
  });
});

describe('move_pages', () => {
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'latin1').split('.').map(Number);
  const modern = (kernel[0] ?? 0) * 100 + (kernel[1] ?? 0) >= 612;

  test('without nodes says where each page is, negative where it is nowhere', () => {
    const addr = touched(3);
    const untouched = modern ? -2 : -14;
    libc.madvise(page(addr, 1), PAGE, libc.MADV_DONTNEED);
    const asked = [addr, page(addr, 1), page(addr, 2), hole(1), libc.NULL, 0xffffffffff600000n];
    const status = move_pages(0, asked, null, 0);
    expect(status).toBeInstanceOf(Int32Array);
    expect([...status]).toEqual([here, untouched, here, -14, -14, -14]);
    expect(move_pages(process.pid, BigUint64Array.from(asked), null, 0)).toEqual(status);
    expect(move_pages(0, [], null, 0)).toHaveLength(0);
  });

  test('moves pages to their nodes, with a status for each', () => {
    const addr = touched(2);
    const pages = [addr, page(addr, 1), hole(1)];
    expect([...move_pages(0, pages, [here, here, here], libc.MPOL_MF_MOVE)]).toEqual([here, here, -14]);
    expect([...move_pages(0, pages, Int32Array.of(here, here, here), libc.MPOL_MF_MOVE)]).toEqual([
      here,
      here,
      -14,
    ]);
  });

  test('of another process, where that is allowed', async () => {
    const [addr, answer] = await said(`
      const addr = anonymous(8192); libc.poke(addr, new Uint8Array(1));
      const { spawnSync } = require('node:child_process');
      say(addr);
      say(spawnSync(process.execPath, ['-p', 'const { libc } = require(process.env.ADDON);' +
        'libc.move_pages(' + process.pid + ', [' + addr + 'n, ' + (addr + 4096n) + 'n], null, 0).join()'], { encoding: 'utf8' }).stdout.trim());`);
    expect([typeof addr, answer]).toEqual(['string', `${here},${modern ? -2 : -14}`]);
  });

  test('its errors are the kernel’s', () => {
    const addr = touched(1);
    expectThrows('ENODEV', 'move_pages', () => move_pages(0, [addr], [absent], libc.MPOL_MF_MOVE));
    expectThrows('ENODEV', 'move_pages', () => move_pages(0, [addr], [-1], libc.MPOL_MF_MOVE));
    expectThrows('EINVAL', 'move_pages', () => move_pages(0, [addr], [here], 1 << 20));
    expectThrows('ESRCH', 'move_pages', () => move_pages(2 ** 22 + 1, [addr], null, 0));
  });

  test.skipIf(!isRoot)('another user’s process is EPERM, which is told from a filter’s', async () => {
    const [message] = await said(
      `try { libc.move_pages(1, [4096n], null, 0) } catch (error) { say(error.message) }`,
      { uid: 65534 },
    );
    expect(message).toMatch(
      /^EPERM: Operation not permitted; .*CAP_SYS_NICE, move_pages 1, 1 pages, null, 0$/,
    );
    expect(message).not.toMatch('seccomp');
  });

  test('bad arguments name the parameter and the element', () => {
    const call =
      (...args: unknown[]) =>
      () =>
        Reflect.apply(move_pages, undefined, args);
    expectTypeError('pid', call('0', [], null, 0));
    expectTypeError('pages', call(0, new Set([1n]), null, 0));
    expectTypeError('pages', call(0, new Float64Array(1), null, 0));
    expectTypeError('pages[1]', call(0, [0n, 1], null, 0));
    expectRangeError('pages[0]', call(0, [-1n], null, 0));
    expectTypeError('pages[0]', call(0, new Array(2 ** 32 - 1), null, 0));
    expectTypeError('nodes', call(0, [0n], undefined, 0));
    expectTypeError('nodes', call(0, [0n], new Int16Array(1), 0));
    expectTypeError('nodes[0]', call(0, [0n], ['0'], 0));
    expectRangeError('nodes[0]', call(0, [0n], [0.5], 0));
    expectRangeError('nodes', call(0, [0n, 1n], [0], 2));
    expectTypeError('flags', call(0, [0n], null));
  });

  test('an array that shrinks, or whose buffer goes, while the arguments are read does no harm', async () => {
    const [detached, shrunk, thrower] = await said(`
      const addr = anonymous(4096), pages = BigUint64Array.of(addr, addr);
      const nodes = [0, 0];
      Object.defineProperty(nodes, 0, { get() { structuredClone(pages, { transfer: [pages.buffer] }); libc.munmap(addr, 4096); return 0; } });
      say([...libc.move_pages(0, pages, nodes, 2)]);
      const list = [1n, 2n, 3n];
      Object.defineProperty(list, 0, { get() { list.length = 1; return 1n; } });
      say(outcome(() => libc.move_pages(0, list, null, 0)));
      Object.defineProperty(list, 0, { get() { throw Object.assign(Error(), { code: 'mine' }); } });
      say(outcome(() => libc.move_pages(0, list, null, 0)));`);
    expect([detached, shrunk]).toEqual([[-14, -14], 'ERR_INVALID_ARG_TYPE']);
    expect(thrower).toBe('mine');
  });

  test('the promise answers as the call does', async () => {
    const addr = touched(2);
    expect(await promises.move_pages(0, [addr, hole(1)], null, 0)).toEqual(Int32Array.of(here, -14));
    expect((await rejected(promises.move_pages(0, [addr], [], 0))).message).toMatch('"nodes"');
  });
});

describe('migrate_pages', () => {
  test('returns how many pages stayed behind', async () => {
    expect(migrate_pages(0, [here], [here])).toBe(0);
    expect(await promises.migrate_pages(0, [here], new Set([here]))).toBe(0);
    expect(migrate_pages(0, [absent], [here])).toBe(0);
  });

  test('its errors are the kernel’s', () => {
    expectThrows('EINVAL', 'migrate_pages', () => migrate_pages(0, [here], []));
    expectThrows('EINVAL', 'migrate_pages', () => migrate_pages(0, [here], [absent]));
    expectThrows('ESRCH', 'migrate_pages', () => migrate_pages(2 ** 22 + 1, [here], [here]));
    expectTypeError('from', () => Reflect.apply(migrate_pages, undefined, [0, null, []]));
    expectTypeError('to[0]', () => Reflect.apply(migrate_pages, undefined, [0, [], [null]]));
  });
});

test('set_mempolicy_home_node takes a node for a range that is bound, and refuses others', () => {
  const addr = anonymous(2);
  mbind(addr, PAGE, libc.MPOL_BIND, [here], 0);
  set_mempolicy_home_node(addr, PAGE, here, 0);
  mbind(page(addr, 1), PAGE, libc.MPOL_INTERLEAVE, [here], 0);
  const home = (at: bigint, node: number, flags: number) => () =>
    set_mempolicy_home_node(at, PAGE, node, flags);
  expectThrows('ENOTSUP', 'set_mempolicy_home_node', home(page(addr, 1), here, 0));
  expectThrows('EINVAL', 'set_mempolicy_home_node', home(addr, absent, 0));
  expectThrows('EINVAL', 'set_mempolicy_home_node', home(addr, here, 1));
  expectRangeError('homeNode', home(addr, -1, 0));
});

describe('a node mask', () => {
  const call = (mask: unknown) => () => Reflect.apply(set_mempolicy, undefined, [libc.MPOL_INTERLEAVE, mask]);

  test('is anything that yields node numbers, in any order and repeated', () => {
    const typed = Uint8Array.of(here, here);
    const generated = (function* () {
      yield* [here, absent, here];
    })();
    for (const mask of [[here], new Set([here]), typed, generated, new Map([[here, 1]]).keys()]) {
      set_mempolicy(libc.MPOL_INTERLEAVE, mask);
      expect(get_mempolicy().nodes).toEqual([here]);
      set_mempolicy(libc.MPOL_DEFAULT, null);
    }
  });

  test('anything else is refused by name', () => {
    for (const bad of [undefined, 0, 1n, true, {}, () => 0, Symbol('x'), { [Symbol.iterator]: 5 }]) {
      expectTypeError('nodes', call(bad));
    }
    expectTypeError('nodes', call({ [Symbol.iterator]: () => undefined }));
    expectTypeError('nodes', call({ [Symbol.iterator]: () => ({ next: 1 }) }));
    expectTypeError('nodes', call({ [Symbol.iterator]: () => ({ next: () => null }) }));
    expectTypeError('nodes[0]', call('0'));
    expectTypeError('nodes[1]', call([here, 1n]));
    expectTypeError('nodes[0]', call(new Array(2 ** 32 - 1)));
    for (const bad of [-1, 0.5, NaN, 32768, Infinity]) expectRangeError('nodes[0]', call([bad]));
  });

  test('that does not end is refused', () => {
    const endless = (function* () {
      while (true) yield here;
    })();
    expectRangeError('nodes', call(endless));
    expect(endless.next().done).toBe(true);
    expectRangeError('nodes', call(new Uint8Array(1e6)));
  });

  test('that throws throws its own error, and one that is left early may clean up', () => {
    const mine = new Error('mine');
    const failing = (function* () {
      yield here;
      throw mine;
    })();
    expect(thrown(call(failing))).toBe(mine);
    let cleaned = 0;
    const left = (function* () {
      try {
        yield 'no number';
      } finally {
        cleaned++;
        throw mine;
      }
    })();
    expectTypeError('nodes[0]', call(left));
    expect(cleaned).toBe(1);
    const trap = new Proxy([here], {
      get: () => {
        throw mine;
      },
    });
    expect(thrown(call(trap))).toBe(mine);
  });

  test('may unmap what the call is about', () => {
    const addr = anonymous(1);
    const unmaps = (function* () {
      libc.munmap(addr, PAGE);
      yield here;
    })();
    expectThrows('EFAULT', 'mbind', () => mbind(addr, PAGE, libc.MPOL_BIND, unmaps, 0));
  });
});

describe('where the calls are refused', () => {
  const CALLS = `
    const addr = anonymous(4096);
    for (const call of [() => libc.mbind(addr, 4096, c.MPOL_LOCAL, null, 0), () => libc.set_mempolicy(c.MPOL_LOCAL, null),
      () => libc.get_mempolicy(), () => libc.move_pages(0, [addr], null, 0), () => libc.migrate_pages(0, [0], [0]),
      () => libc.set_mempolicy_home_node(addr, 4096, 0, 0)])
      try { call(); say('ok'); } catch (error) { say([error.syscall, error.code, error.errno ?? 0, error.message]); }`;
  const names = 'mbind set_mempolicy get_mempolicy move_pages migrate_pages set_mempolicy_home_node'.split(
    ' ',
  );

  test('by a seccomp filter, EPERM says that it was one, and what is missing', async () => {
    const answers = await said(CALLS, { before: `exec ${refusing('EPERM').join(' ')} "$@"` });
    const told = expect.stringMatching(/^EPERM: Operation not permitted; a seccomp filter .*CAP_SYS_NICE/);
    expect(answers).toEqual(names.map((name) => [name, 'EPERM', -1, told]));
  });

  test('by a kernel without NUMA, ERR_MEMPROBE_UNSUPPORTED says what is missing', async () => {
    const answers = await said(CALLS, { before: `exec ${refusing('ENOSYS').join(' ')} "$@"` });
    const told = expect.stringMatching(
      /^ERR_MEMPROBE_UNSUPPORTED: \w+ needs Linux [\d.]+ with CONFIG_NUMA; here/,
    );
    expect(answers).toEqual(names.map((name) => [name, 'ERR_MEMPROBE_UNSUPPORTED', 0, told]));
  });
});
