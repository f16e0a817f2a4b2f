import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type HeapArena, type HeapReport, readHeap } from '../../lib/procfs/heap.js';

const PARTS = ['live', 'free', 'top', 'cached', 'fast', 'overhead', 'unwalked'] as const;
const KIB = 1024;
const GIB = 2 ** 30;

const directory = mkdtempSync(join(tmpdir(), 'memprobe-heap-'));
const source = new URL('./heap.target.c', import.meta.url).pathname;
const running = new Set<ChildProcess>();

beforeAll(() => {
  for (const [name, ...flags] of [['target'], ['static', '-static']]) {
    execFileSync('gcc', ['-O1', ...flags, '-pthread', '-o', join(directory, name ?? ''), source]);
  }
});
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(async () => {
  await Promise.all([...running].map(stop));
});

async function stop(child: ChildProcess): Promise<void> {
  running.delete(child);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended;
}

/** heap.target.c with one of its scenarios; it stands still except while it answers. */
class Target {
  readonly #child: ChildProcess;
  #pending = '';

  private constructor(program: string, scenario: string[], env: NodeJS.ProcessEnv) {
    this.#child = spawn(join(directory, program), scenario, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    running.add(this.#child);
  }
  static async start(
    scenario: string,
    { program = 'target', args = [] as string[], env = {} } = {},
  ): Promise<Target> {
    const target = new Target(program, [scenario, ...args], env);
    await target.#answer();
    return target;
  }
  get pid(): number {
    return this.#child.pid ?? 0;
  }
  ask(command: 'i' | 'm' | 't' | 'a'): Promise<string> {
    this.#child.stdin?.write(`${command}\n`);
    return this.#answer();
  }
  async mallinfo(): Promise<Record<string, number>> {
    return JSON.parse(await this.ask('m'));
  }
  kill(): Promise<void> {
    return stop(this.#child);
  }
  #answer(): Promise<string> {
    const output = this.#child.stdout;
    return new Promise((resolve, reject) => {
      const take = (chunk: Buffer) => {
        this.#pending += chunk.toString();
        if (!this.#pending.endsWith('.\n')) return;
        output?.off('data', take);
        resolve(this.#pending.slice(0, -2));
        this.#pending = '';
      };
      output?.on('data', take).once('end', () => reject(new Error(`the target ended: ${this.#pending}`)));
    });
  }
}

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const total = (report: HeapReport, pick: (arena: HeapArena) => number) => sum(report.arenas.map(pick));
const mainOf = (report: HeapReport) => report.arenas.find((arena) => arena.main);

/** Resident pages of a range, as /proc/PID/pagemap counts them. */
function residentBytes(pid: number, start: bigint, end: bigint): number {
  const file = openSync(`/proc/${pid}/pagemap`, 'r');
  const entries = new BigUint64Array(Number((end - start) / 4096n));
  readSync(file, entries, 0, entries.byteLength, Number((start / 4096n) * 8n));
  closeSync(file);
  return entries.filter((entry) => entry >> 63n === 1n).length * 4096;
}

/** Without pages of files: running malloc_trim for the first time brings in some of its code. */
function anonymousBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Anonymous: +(\d+)/m.exec(rollup)?.[1]) * KIB;
}

/** What must hold whatever the process is doing. */
function expectSound(report: HeapReport): void {
  for (const arena of report.arenas) {
    const heaps = arena.heaps.map(({ start, end, resident }) => ({ size: Number(end - start), resident }));
    expect(sum(PARTS.map((part) => arena[part].resident))).toBe(sum(heaps.map(({ resident }) => resident)));
    expect(sum(PARTS.map((part) => arena[part].bytes))).toBe(sum(heaps.map(({ size }) => size)));
    for (const part of PARTS) {
      expect(arena[part].resident, part).toBeGreaterThanOrEqual(0);
      expect(arena[part].resident, part).toBeLessThanOrEqual(arena[part].bytes);
    }
    expect(arena.free.trimmable).toBeLessThanOrEqual(arena.free.resident);
    expect(arena.top.trimmable).toBeLessThanOrEqual(arena.top.resident);
  }
  expect(sum(report.sizes.map(({ bytes }) => bytes))).toBe(total(report, ({ live }) => live.bytes));
  expect(sum(report.sizes.map(({ chunks }) => chunks))).toBe(total(report, ({ live }) => live.chunks));
}

/** What malloc says of itself, in a process that stands still. Returns the report for more. */
async function expectAgreement(target: Target): Promise<HeapReport> {
  const report = await readHeap({ pid: target.pid });
  const info = await target.mallinfo();
  expectSound(report);
  expect({
    arena: total(report, ({ systemBytes }) => systemBytes),
    ordblks: total(report, ({ free }) => free.chunks + 1), // malloc counts each top as free
    smblks: total(report, ({ fast }) => fast.chunks),
    fsmblks: total(report, ({ fast }) => fast.bytes),
    fordblks: total(report, ({ free, top, fast }) => free.bytes + top.bytes + fast.bytes),
    keepcost: mainOf(report)?.top.bytes,
    hblks: report.mmapped.total.chunks,
    hblkhd: report.mmapped.total.bytes,
  }).toEqual({
    arena: info.arena,
    ordblks: info.ordblks,
    smblks: info.smblks,
    fsmblks: info.fsmblks,
    fordblks: info.fordblks,
    keepcost: info.keepcost,
    hblks: info.hblks,
    hblkhd: info.hblkhd,
  });
  expect(report.mmapped.counted).toBe(info.hblkhd);
  for (const { start, end, resident } of report.arenas.flatMap(({ heaps }) => heaps)) {
    expect(resident).toBe(residentBytes(target.pid, start, end));
  }
  return report;
}

describe('a process that stands still', () => {
  test('the walk and mallinfo2 agree to the byte, over threads, arenas of many heaps, and mapped blocks', async () => {
    const target = await Target.start('arenas');
    const report = await expectAgreement(target);
    expect(report.arenas).toHaveLength(4);
    expect(Math.max(...report.arenas.map(({ heaps }) => heaps.length))).toBeGreaterThan(1);
    expect(total(report, ({ unwalked }) => unwalked.bytes)).toBe(0);
    for (let i = 0; i < report.mmapped.total.chunks; i++) {
      const [start = 0n, end = 0n] = [report.mmapped.start[i], report.mmapped.end[i]];
      expect(report.mmapped.resident[i]).toBe(residentBytes(target.pid, start, end));
    }
  });

  test('each arena agrees with its part of malloc_info', async () => {
    const target = await Target.start('arenas');
    const report = await readHeap({ pid: target.pid });
    const said = (await target.ask('i'))
      .split('</heap>')
      .slice(0, -1)
      .map((heap) => {
        const read = (pattern: RegExp) => pattern.exec(heap)?.slice(1).map(Number);
        const fast = read(/type="fast" count="(\d+)" size="(\d+)"/);
        return { fast, rest: read(/type="rest" count="(\d+)"/), system: read(/"current" size="(\d+)"/) };
      });
    const found = report.arenas.map(({ fast, free, systemBytes }) => {
      return { fast: [fast.chunks, fast.bytes], rest: [free.chunks + 1], system: [systemBytes] };
    });
    const order = (list: unknown[]) => list.map((item) => JSON.stringify(item)).sort();
    expect(order(found)).toEqual(order(said));
  });

  test('blocks in tcaches count as cached, and the tcaches as overhead', async () => {
    const options = { env: { GLIBC_TUNABLES: 'glibc.malloc.tcache_count=0' } };
    const [cached, uncached] = [await Target.start('arenas'), await Target.start('arenas', options)];
    const [withCache, without] = [await expectAgreement(cached), await expectAgreement(uncached)];
    expect(total(without, (arena) => arena.cached.chunks)).toBe(0);
    expect(total(withCache, (arena) => arena.cached.chunks)).toBeGreaterThan(1000);
    const live = (report: HeapReport) => total(report, (arena) => arena.live.chunks);
    // The empty tcaches of the other are blocks of zeros: one for each thread.
    expect(live(without) - live(withCache)).toBe(4);
  });

  test('new blocks appear in the table of sizes, exactly', async () => {
    const target = await Target.start('');
    const count = (report: HeapReport) =>
      report.sizes.find(({ from, to }) => from === 1496 && to === 1496)?.chunks ?? 0;
    await target.ask('a'); // the first block of all also brings the tcache
    const before = await readHeap({ pid: target.pid });
    await target.ask('a');
    const after = await readHeap({ pid: target.pid });
    expect(count(after) - count(before)).toBe(1000);
    expect(total(after, ({ live }) => live.chunks) - total(before, ({ live }) => live.chunks)).toBe(1000);
  });

  test('memory that others have from sbrk is unwalked, and the walk goes on behind it', async () => {
    const report = await expectAgreement(await Target.start('foreign'));
    expect(mainOf(report)?.unwalked.bytes).toBe(5 * 40_000);
  });

  test('a main arena that had to leave [heap] is found in its pieces', async () => {
    const report = await expectAgreement(await Target.start('blocked'));
    expect(mainOf(report)?.heaps.length).toBeGreaterThan(10);
    expect(sum(mainOf(report)?.heaps.map(({ start, end }) => Number(end - start)) ?? [])).toBe(
      mainOf(report)?.systemBytes,
    );
    expect(mainOf(report)?.unwalked.bytes).toBe(0);
  });

  test('a region of Abseil’s allocator is found, whole, and is none of malloc’s', async () => {
    const { pid } = await Target.start('abseil');
    const report = await readHeap({ pid });
    expect(report.mmapped.total.bytes).toBe(0);
    expect(report.abseil.map(({ start, end, resident }) => [Number(end - start), resident])).toEqual([
      [17 << 16, 257 * 4096],
    ]);
  });

  test('a statically linked program is walked too', async () => {
    // Its thread-local memory comes from sbrk, in front of malloc's.
    for (let i = 0; i < 5; i++) {
      const report = await expectAgreement(await Target.start('arenas', { program: 'static' }));
      expect(report.arenas).toHaveLength(4);
      expect(mainOf(report)?.unwalked.resident).toBeLessThan(32 * KIB);
    }
  });
});

describe('malloc_trim', () => {
  test.each(['trimmable', 'arenas'])(
    'gives back what was foretold, and leaves nothing trimmable (%s)',
    async (scenario) => {
      const target = await Target.start(scenario);
      const before = await expectAgreement(target);
      const foretold = total(before, ({ free, top }) => free.trimmable + top.trimmable);
      const anonymous = anonymousBytes(target.pid);
      await target.ask('t');
      const givenBack = anonymous - anonymousBytes(target.pid);
      // More than foretold: pages around fastbin blocks, which malloc_trim merges first. Less: a page of stack.
      expect(givenBack).toBeGreaterThanOrEqual(foretold - 8 * KIB);
      expect(givenBack).toBeLessThanOrEqual(
        foretold + 8 * KIB + total(before, ({ fast }) => fast.chunks) * 4 * KIB,
      );
      const after = await expectAgreement(target);
      expect(total(after, ({ free, top }) => free.trimmable + top.trimmable)).toBe(0);
      expect(total(after, ({ live }) => live.chunks)).toBe(total(before, ({ live }) => live.chunks));
    },
  );
});

describe('a process that runs', () => {
  test('four threads that allocate without pause: everything adds up, and little stays unwalked', async () => {
    const target = await Target.start('wild');
    for (let i = 0; i < 5; i++) {
      const report = await readHeap({ pid: target.pid });
      expectSound(report);
      const resident = total(report, ({ heaps }) => sum(heaps.map((heap) => heap.resident)));
      expect(total(report, ({ unwalked }) => unwalked.resident)).toBeLessThan(0.05 * resident + 512 * KIB);
    }
  });

  test('a process that dies meanwhile is an error, or a report that adds up', async () => {
    for (const delay of [0, 1, 3, 10, 30]) {
      const target = await Target.start('wild');
      const walk = readHeap({ pid: target.pid }).then(expectSound, (error: unknown) => error);
      await new Promise((resolve) => setTimeout(resolve, delay));
      await target.kill();
      expect([undefined, 'ESRCH']).toContain(((await walk) as NodeJS.ErrnoException | undefined)?.code);
    }
  });

  test('a Node process with workers', async () => {
    const script = `
      const { Worker } = require('node:worker_threads');
      const kept = Array.from({ length: 2000 }, (_, i) => Buffer.alloc(20000 + i, 1));
      const large = Array.from({ length: 20 }, () => Buffer.alloc(3e6, 1));
      for (let i = 0; i < 4; i++) new Worker('setInterval(() => {}, 1e6); require("node:worker_threads").parentPort.postMessage(0)', { eval: true })
        .on('message', () => { if (++globalThis.up === 4) setTimeout(() => process.stdout.write('up'), 300); });
      globalThis.up = 0;
      setInterval(() => [kept, large], 1e6);`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    running.add(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    // Of its other threads one may be in the midst of an allocation: there is a moment when none is.
    const told = async (): Promise<unknown[]> => {
      const report = await readHeap({ pid: child.pid ?? 0 });
      expectSound(report);
      expect(report.arenas.length).toBeGreaterThan(4);
      expect(total(report, ({ live }) => live.bytes) + report.mmapped.total.bytes).toBeGreaterThan(100e6);
      const { mmapped } = report;
      return [mmapped.total.bytes === mmapped.counted, total(report, ({ unwalked }) => unwalked.resident)];
    };
    await expect.poll(told).toEqual([true, 0]);
  });

  test('the own process', async () => {
    const report = await readHeap();
    expectSound(report);
    expect(mainOf(report)?.live.chunks).toBeGreaterThan(1000);
  });
});

test('every block of six million in a GiB is counted', async () => {
  const target = await Target.start('million', { args: ['6000000', '168'] });
  const report = await readHeap({ pid: target.pid });
  expect(report.sizes.find(({ from }) => from === 168)?.chunks).toBeGreaterThanOrEqual(6_000_000);
  expect(mainOf(report)?.heaps[0]?.resident).toBeGreaterThan(0.95 * GIB);
});

describe('errors', () => {
  test('no such process is ESRCH', async () => {
    const target = await Target.start('');
    await target.kill();
    await expect(readHeap({ pid: target.pid })).rejects.toMatchObject({ code: 'ESRCH', errno: -3 });
  });

  test.runIf(process.geteuid?.() === 0)(
    'a process of someone else is EACCES or EPERM, and says whose it is',
    async () => {
      const target = await Target.start('');
      process.seteuid?.(65534);
      const error = await readHeap({ pid: target.pid }).catch((reason: unknown) => reason);
      process.seteuid?.(0);
      expect(['EACCES', 'EPERM']).toContain((error as NodeJS.ErrnoException).code);
      expect(String(error)).toMatch(`process ${target.pid} belongs to root`);
    },
  );

  test('a wrong pid is an argument error', async () => {
    await expect(readHeap({ pid: -1 })).rejects.toMatchObject({
      name: 'RangeError',
      code: 'ERR_OUT_OF_RANGE',
    });
    await expect(readHeap({ pid: 1.5 })).rejects.toMatchObject({
      name: 'RangeError',
      code: 'ERR_OUT_OF_RANGE',
    });
    // @ts-expect-error a string is no pid
    await expect(readHeap({ pid: '1' })).rejects.toMatchObject({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });
});
