import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../../lib/procfs/errors.js';
import { parseTaskStat, parseTaskSyscall, readTaskStacks } from '../../lib/procfs/stacks.js';
import { bytesOf, FIXTURES, fixture, spawnWithMappings, stop } from './support.js';

describe('parseTaskSyscall', () => {
  it('reads the stack pointer of a thread that waits in a system call', () => {
    const seen = parseTaskSyscall(fixture('linux-6.18/100/task/101/syscall'));
    expect(seen).toEqual({ sp: 0x7fc8ee344eb0n, pc: 0x7fc8ee42edf2n });
  });

  it('reads the one of a thread that waits outside of a system call', () => {
    expect(parseTaskSyscall(bytesOf('-1 0x7ffe00000000 0x400000\n'))).toEqual({
      sp: 0x7ffe00000000n,
      pc: 0x400000n,
    });
  });

  it('says that a thread is running', () => {
    expect(parseTaskSyscall(fixture('linux-6.18/100/task/102/syscall'))).toBe('running');
  });

  it('refuses what no kernel writes', () => {
    expect(() => parseTaskSyscall(bytesOf('34 0x'))).toThrow(
      expect.objectContaining({ code: 'ERR_MEMPROBE_PARSE' }),
    );
    expect(() => parseTaskSyscall(bytesOf(''))).toThrow(
      expect.objectContaining({ code: 'ERR_MEMPROBE_PARSE' }),
    );
  });
});

describe('parseTaskStat', () => {
  it('reads past spaces and brackets in the name', () => {
    expect(parseTaskStat(fixture('linux-6.18/100/task/101/stat'))).toEqual({
      comm: 'waits (1) 2',
      state: 'S',
      kstkesp: 0n,
    });
  });

  it('takes kstkesp from field 29', () => {
    const fields = Array.from({ length: 49 }, (_, index) => index + 4);
    expect(parseTaskStat(bytesOf(`1 (a) b) Z ${fields.join(' ')}\n`))).toEqual({
      comm: 'a) b',
      state: 'Z',
      kstkesp: 29n,
    });
  });
});

describe('readTaskStacks', () => {
  it('tells the stacks of a captured process: waiting threads by stack pointer, the running one not', async () => {
    const stacks = await readTaskStacks({ root: `${FIXTURES}/linux-6.18`, pid: 100 });
    expect(stacks).toMatchObject([
      { tid: 100, comm: 'odd', mapping: { path: '[stack]' } },
      { tid: 101, comm: 'waits (1) 2', mapping: { start: 0x7fc8ee336000n, end: 0x7fc8ee346000n } },
      { tid: 102, comm: 'spins', hidden: 'running' },
    ]);
    expect(stacks[2]).not.toHaveProperty('mapping');
  });

  it('finds the stack of a waiting process', async () => {
    const child = await spawnWithMappings(4);
    try {
      const comm = readFileSync(`/proc/${child.pid}/comm`, 'utf8').trimEnd();
      const [main, ...others] = await readTaskStacks({ pid: child.pid });
      expect(others).toEqual([]);
      expect(main).toMatchObject({ tid: child.pid, comm, mapping: { path: '[stack]' } });
      expect(main?.sp).toBeGreaterThanOrEqual(main?.mapping?.start ?? 2n ** 64n);
    } finally {
      await stop(child);
    }
  });

  it('gives each waiting worker of this process a stack of its own', async () => {
    const code = 'require("node:worker_threads").parentPort.once("message", () => {})';
    const workers = [1, 2, 3].map(() => new Worker(code, { eval: true }));
    try {
      await Promise.all(workers.map((worker) => once(worker, 'online')));
      const stacks = (await readTaskStacks()).filter(({ sp }) => sp !== undefined);
      expect(stacks.length).toBeGreaterThan(workers.length);
      const places = stacks.map(({ mapping }) => mapping?.start);
      expect(places).not.toContain(undefined);
      expect(new Set(places).size).toBe(stacks.length);
    } finally {
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
  });

  it('knows the main stack of a process that never waits', async () => {
    const busy = spawn(process.execPath, ['-e', 'console.log(1); for (;;) ;'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      await once(busy.stdout, 'data');
      const main = (await readTaskStacks({ pid: busy.pid ?? 0 })).find(({ tid }) => tid === busy.pid);
      expect(main?.mapping?.path).toBe('[stack]');
    } finally {
      await stop(busy);
    }
  });

  it('says ESRCH for a process that has gone', async () => {
    const child = await spawnWithMappings(4);
    await stop(child);
    expect(await readTaskStacks({ pid: child.pid }).catch(codeOf)).toBe('ESRCH');
  });
});
