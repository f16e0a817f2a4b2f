import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import { run, said } from '../helpers/child.js';
import { expectRangeError, expectThrows, expectTypeError } from '../helpers/errors.js';

const { malloc_info, malloc_trim, mallopt, parseMallocInfo } = libc;

const FIELDS = 'arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost'.split(' ');

/** In a child, where hardly anybody else allocates: koffi's mallinfo2 and mallinfo. */
const KOFFI = `
  const koffi = require(${JSON.stringify(import.meta.resolve('koffi').replace('file://', ''))});
  const theirs = (name, type) => koffi.load(null).func(name, koffi.struct(name,
    Object.fromEntries(${JSON.stringify(FIELDS)}.map((field) => [field, type]))), []);
  const mallinfo2 = theirs('mallinfo2', 'size_t'), mallinfo = theirs('mallinfo', 'int');`;

/** Both read the heap at nearly the same moment: what moves in between is small. */
function expectNear(mine: unknown, theirs: unknown): void {
  expect(Object.keys(Object(mine))).toEqual(FIELDS);
  for (const name of FIELDS) {
    const [one, other] = [mine, theirs].map((info) => Number(Reflect.get(Object(info), name)));
    expect(Math.abs((one ?? Number.NaN) - (other ?? Number.NaN)), name).toBeLessThan(1 << 20);
  }
}

describe('mallinfo', () => {
  test('mallinfo2 and mallinfo say what koffi hears from the same functions', async () => {
    const [mine2, theirs2, mine, theirs] = await said(`${KOFFI}
      const block = libc.malloc(100 << 20);
      [libc.mallinfo2(), mallinfo2(), libc.mallinfo(), mallinfo()].forEach(say);`);
    expectNear(mine2, theirs2);
    expectNear(mine, theirs);
    expect(Reflect.get(Object(mine), 'hblkhd')).toBeGreaterThan(100 << 20);
  });

  test('see a block come and go', async () => {
    const [grown, chunks, back] = await said(`const before = libc.mallinfo2();
      const blocks = Array.from({ length: 20 }, () => libc.malloc(100 << 20));
      const after = libc.mallinfo2();
      blocks.forEach(libc.free);
      say((after.hblkhd - before.hblkhd) / (100 << 20));
      say(after.hblks - before.hblks);
      say((libc.mallinfo2().hblkhd - before.hblkhd) / (100 << 20));`);
    // Node itself may have some mapped, or freed, meanwhile.
    expect([grown, chunks, back].map((each) => Math.round(Number(each) / 10))).toEqual([2, 2, 0]);
  });

  test('mallinfo overflows at 2 GiB, mallinfo2 does not', async () => {
    const answers = await said(`const block = libc.malloc(3 * 2 ** 30);
      say([libc.mallinfo().hblkhd < 0, libc.mallinfo2().hblkhd > 3 * 2 ** 30]);`);
    expect(answers).toEqual([[true, true]]);
  });
});

describe('malloc_info', () => {
  test('agrees with mallinfo2, arena by arena', async () => {
    const heap = `
      const blocks = Array.from({ length: 20000 }, (_, i) => libc.malloc(16 + (i % 300) * 16));
      blocks.forEach((block, i) => i % 3 && libc.free(block));
      const before = libc.mallinfo2(), text = libc.malloc_info(0), after = libc.mallinfo2();
      say(before); say(text); say(after);`;
    const [before, text, after] = await said(heap);
    const info = parseMallocInfo(String(text));
    const sum = (of: (arena: libc.MallocArena) => number): number =>
      info.arenas.reduce((total, arena) => total + of(arena), 0);
    const free = sum((arena) => arena.free.total + arena.fastbins.total + arena.top);
    for (const [name, value] of [
      ['arena', sum((arena) => arena.system.current)],
      ['fordblks', free],
      ['uordblks', sum((arena) => arena.inUse)],
      ['fsmblks', sum((arena) => arena.fastbins.total)],
      ['hblkhd', info.mmapped.total],
      ['hblks', info.mmapped.count],
    ] as const) {
      const [low, high] = [before, after]
        .map((one) => Number(Reflect.get(Object(one), name)))
        .sort((a, b) => a - b);
      expect(value, name).toBeGreaterThanOrEqual((low ?? Number.NaN) - 65536);
      expect(value, name).toBeLessThanOrEqual((high ?? Number.NaN) + 65536);
    }
    expect(info.system.current).toBe(sum((arena) => arena.system.current));
    expect(free).toBeGreaterThan(10 << 20);
  });

  test('an option other than 0 is EINVAL, though C returns it as a positive number', () => {
    expectThrows('EINVAL', 'malloc_info', () => malloc_info(1));
    expectThrows('EINVAL', 'malloc_info', () => malloc_info(-1));
    expectRangeError('options', () => malloc_info(0.5));
    expectTypeError('options', () => Reflect.apply(malloc_info, undefined, []));
  });

  test('parseMallocInfo refuses what malloc_info did not write', () => {
    expect(() => parseMallocInfo('<heap/>')).toThrow(TypeError);
    expect(() => parseMallocInfo('no xml')).toThrow();
    expect(parseMallocInfo(malloc_info(0)).version).toBe('1');
  });
});

describe('malloc_stats', () => {
  test('is the text, with the numbers of mallinfo2', async () => {
    const [text = '', info] = await said(`say(libc.malloc_stats()); say(libc.mallinfo2());`);
    expect(text).toMatch(/^Arena 0:\nsystem bytes +=/);
    expect(text).toMatch(/Total \(incl\. mmap\):\n[^]+max mmap bytes +=/);
    const total = Number(/Total[^]+?system bytes +=\s*(\d+)/.exec(String(text))?.[1]);
    const [arena, hblkhd] = ['arena', 'hblkhd'].map((name) => Number(Reflect.get(Object(info), name)));
    expect(Math.abs(total - (arena ?? 0) - (hblkhd ?? 0))).toBeLessThan(1 << 20);
  });

  // The C library holds the lock of the arena that it describes while it prints.
  test('does not allocate while it prints: with no free chunk at hand it comes back all the same', async () => {
    const answers = await said(`
      for (let round = 0; round < 200; round++) {
        const held = [];
        for (let size = 16; size <= 1040; size += 16) for (let i = 0; i < 8; i++) held.push(libc.malloc(size));
        libc.malloc_stats();
        held.forEach(libc.free);
      }
      say('came back');`);
    expect(answers).toEqual(['came back']);
  });

  test('writes nothing to stderr, also while other threads write there', async () => {
    // Into a file: Node makes a pipe non-blocking, and lines would be lost.
    const directory = mkdtempSync(join(tmpdir(), 'memprobe-stats-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const { code, stdout } = await run(
      `
      const { Worker } = require('node:worker_threads');
      const koffi = ${JSON.stringify(import.meta.resolve('koffi').replace('file://', ''))};
      const source = \`const lib = require(\${JSON.stringify(koffi)}).load(null);
        const perror = lib.func('void perror(str)');
        for (let i = 0; i < 50; i++) perror('line of the other thread');\`;
      // One after the other: a thread's first line is where the C library may need memory for it.
      let calls = 0, whole = 0, workers = 0, done = false;
      (function next() {
        if (workers++ === 40) done = true; else new Worker(source, { eval: true }).on('exit', next);
      })();
      (function again() {
        const text = libc.malloc_stats();
        calls++;
        whole += text.startsWith('Arena 0:') && text.trimEnd().split('\\n').every((line) => /^(Arena \\d+:|Total .*:|\\w[\\w ]+= +\\d+)$/.test(line));
        if (done) say([calls > 10, calls - whole]); else setImmediate(again);
      })();`,
      { before: `exec 2> ${directory}/stderr` },
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: '[true,0]\n' });
    const lines = readFileSync(`${directory}/stderr`, 'utf8').trimEnd().split('\n');
    expect(lines.filter((line) => !/^line of the other thread: /.test(line))).toEqual([]);
    expect(lines).toHaveLength(2000);
  });
});

describe('malloc_trim and mallopt', () => {
  test('malloc_trim gives free pages back: 1, and RSS falls', async () => {
    const [grown, trimmed, fallen] = await said(`
      const rss = () => Number(require('node:fs').readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * 4096;
      const before = rss();
      const blocks = Array.from({ length: 2000 }, () => libc.malloc(20000));
      blocks.forEach((block) => libc.poke(block, new Uint8Array(20000).fill(1)));
      const wall = libc.malloc(64);
      blocks.forEach(libc.free);
      const high = rss();
      say(high - before); say(libc.malloc_trim(0)); say(high - rss());`);
    expect(Number(grown)).toBeGreaterThan(30 << 20);
    expect(trimmed).toBe(1);
    expect(Number(fallen)).toBeGreaterThan(30 << 20);
  });

  test('mallopt sets: with a low M_MMAP_THRESHOLD, what the heap cannot serve becomes mappings', async () => {
    const answers = await said(`
      const mapped = () => { const { hblks } = libc.mallinfo2(); for (let i = 0; i < 500; i++) libc.malloc(100_000);
        return libc.mallinfo2().hblks - hblks; };
      say(mapped() < 100);
      say(libc.mallopt(c.M_MMAP_THRESHOLD, 8192));
      say(mapped() > 400);
      say(libc.mallopt(c.M_MXFAST, 100000));`);
    expect(answers).toEqual([true, 1, true, 0]);
  });

  test('bad arguments name the parameter', () => {
    expectRangeError('pad', () => malloc_trim(-1));
    expectTypeError('param', () => Reflect.apply(mallopt, undefined, ['M_ARENA_MAX', 1]));
    expectRangeError('value', () => mallopt(libc.M_ARENA_MAX, 2 ** 32));
  });
});
