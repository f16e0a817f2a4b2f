import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { mtrace, muntrace } from '../../lib/libc/index.js';
import { runNode } from './preloaded.js';

const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string): string => join(directory, name);
const quoted = (name: string): string => JSON.stringify(file(name));

describe('without the preload', () => {
  test('mtrace and muntrace say what to do, instead of doing nothing', () => {
    const expected = expect.objectContaining({
      code: 'ERR_MEMPROBE_UNSUPPORTED',
      message: expect.stringContaining('memprobe run --malloc-debug'),
    });
    expect(() => mtrace(file('never.log'))).toThrow(expected);
    expect(() => muntrace()).toThrow(expected);
  });
});

describe('with the preload', () => {
  test('a leak is in the log with its size, a freed block with both lines', async () => {
    const path = file('leak.log');
    const { told, stderr, code } = await runNode(
      `c.mtrace(${quoted('leak.log')});
       const leak = c.malloc(12345), freed = c.malloc(54321);
       c.free(freed);
       c.muntrace();
       tell([leak.toString(16), freed.toString(16), process.env.MALLOC_TRACE ?? 'unset']);`,
      {},
    );
    expect([code, stderr]).toEqual([0, '']);
    const [[leak, freed, variable] = []] = told as string[][];
    const lines = readFileSync(path, 'latin1').trimEnd().split('\n');
    expect([lines[0], lines.at(-1), variable]).toEqual(['= Start', '= End', 'unset']);
    const of = (address = '') =>
      lines
        .flatMap((line) => / ([-+] 0x.*)$/.exec(line)?.[1] ?? [])
        .filter((op) => op.includes(`0x${address}`));
    expect(of(leak)[0]).toBe(`+ 0x${leak} 0x3039`);
    expect(of(freed).slice(0, 2)).toEqual([`+ 0x${freed} 0xd431`, `- 0x${freed}`]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('an existing log is emptied and becomes private', async () => {
    writeFileSync(file('old.log'), 'x'.repeat(1 << 20), { mode: 0o644 });
    await runNode(`c.mtrace(${quoted('old.log')}); c.muntrace();`, {});
    expect(readFileSync(file('old.log'), 'latin1').startsWith('= Start\n')).toBe(true);
    expect(statSync(file('old.log')).mode & 0o777).toBe(0o600);
  });

  test('links, devices and missing directories are refused, and what a link points to is left alone', async () => {
    writeFileSync(file('target'), 'precious');
    symlinkSync(file('target'), file('link'));
    const { told } = await runNode(
      `for (const path of [${quoted('link')}, '/dev/null', ${quoted('none/x')}]) tell(failure(() => c.mtrace(path)).code);
       tell(failure(() => c.mtrace(5)).code);`,
      {},
    );
    expect(told).toEqual([
      'ERR_MEMPROBE_BAD_FILE',
      'ERR_MEMPROBE_BAD_FILE',
      'ENOENT',
      'ERR_INVALID_ARG_TYPE',
    ]);
    expect(readFileSync(file('target'), 'utf8')).toBe('precious');
  });

  test('one trace at a time: a second one is refused until the first has ended', async () => {
    const { told } = await runNode(
      `c.mtrace(${quoted('a.log')});
       tell(failure(() => c.mtrace(${quoted('b.log')})).code);
       tell(failure(() => c.hooks.start()).code);
       c.muntrace();
       tell(failure(() => c.mtrace(${quoted('b.log')})));
       await promises.muntrace();
       tell(mallocDebug.status().mtrace);`,
      {},
    );
    expect(told).toEqual(['ERR_MEMPROBE_BUSY', 'ERR_MEMPROBE_BUSY', {}, false]);
  });

  test('a trace can be begun and ended while worker threads allocate', async () => {
    const { code, stderr, told } = await runNode(
      `const ended = [allocating(), allocating()].map((worker) => once(worker, 'exit'));
       for (let i = 0; i < 10; i++) {
         c.mtrace(${quoted('busy.log')});
         await new Promise((resolve) => setTimeout(resolve, 20));
         await promises.muntrace();
       }
       await Promise.all(ended);
       tell('survived');`,
      {},
    );
    expect([code, stderr, told]).toEqual([0, '', ['survived']]);
  });

  test('from the start: the program itself is traced, what it starts is not', async () => {
    const { code, told } = await runNode(
      `import { execFileSync } from 'node:child_process';
       tell(mallocDebug.status().mtrace);
       execFileSync('ls', ['/']);
       tell(failure(() => c.muntrace()));
       tell(mallocDebug.status().mtrace);`,
      { trace: file('whole.log') },
    );
    expect([code, ...told]).toEqual([0, true, {}, false]);
    const log = readFileSync(file('whole.log'), 'latin1');
    expect(log).toContain('node:');
    expect(log.endsWith('= End\n')).toBe(true);
    expect(log.split('= Start').length).toBe(2);
  });
});
