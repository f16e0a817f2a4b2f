import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { mtrace, muntrace } from '../../lib/libc/index.js';
import { needMallocDebug, runNode } from './preloaded.js';

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
  needMallocDebug();

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
    // Others may have had the leak's address before, and the freed block's afterwards too.
    expect(of(leak).at(-1)).toBe(`+ 0x${leak} 0x3039`);
    expect(of(freed).join()).toContain(`+ 0x${freed} 0xd431,- 0x${freed}`);
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

  test('each trace goes into its own file, whole, and nothing is written between two', async () => {
    const { code, stderr, told } = await runNode(
      `import { readlinkSync, readdirSync, statSync } from 'node:fs';
       const open = () => readdirSync('/proc/self/fd').filter((fd) => { try { return readlinkSync('/proc/self/fd/' + fd).startsWith(${quoted('')}); } catch { return false; } }).length;
       for (const [name, size] of [[${quoted('one.log')}, 11111], [${quoted('two.log')}, 22222]]) {
         c.mtrace(name);
         c.free(c.malloc(size));
         tell(open());
         c.muntrace();
         c.free(c.malloc(33333));
         tell(open());
       }
       tell(failure(() => c.muntrace()));
       tell(failure(() => c.hooks.start()));
       c.free(c.malloc(33333));
       c.hooks.stop();`,
      {},
    );
    expect([code, stderr, told]).toEqual([0, '', [1, 0, 1, 0, {}, {}]]);
    for (const [name, size] of [
      ['one.log', '0x2b67'],
      ['two.log', '0x56ce'],
    ] as const) {
      const lines = readFileSync(file(name), 'latin1').trimEnd().split('\n');
      expect([lines[0], lines.at(-1)]).toEqual(['= Start', '= End']);
      const sizes = lines.flatMap((line) => /(?:0x2b67|0x56ce|0x8235)$/.exec(line)?.[0] ?? []);
      expect(sizes).toEqual([size]);
      expect(lines.slice(1, -1).filter((line) => !/^@ \S+ [-+<>] 0x/.test(line))).toEqual([]);
    }
  });

  test.skipIf(process.arch !== 'x64')(
    'a log that C code began is ended, too (symbol version of x86-64)',
    async () => {
      const { code, told } = await runNode(
        `import { createRequire } from 'node:module';
       const koffi = createRequire(${JSON.stringify(import.meta.url)})('koffi');
       const program = koffi.load(null);
       program.func('int setenv(const char *, const char *, int)')('MALLOC_TRACE', ${quoted('c.log')}, 1);
       const mtrace = program.func('void *dlvsym(intptr_t, const char *, const char *)')(0, 'mtrace', 'GLIBC_2.2.5');
       koffi.call(mtrace, koffi.proto('void Function()'));
       tell(failure(() => c.mtrace(${quoted('ours.log')})).code);
       c.muntrace();
       tell(failure(() => c.mtrace(${quoted('ours.log')})));
       c.muntrace();`,
        {},
      );
      expect([code, told]).toEqual([0, ['ERR_MEMPROBE_BUSY', {}]]);
      for (const name of ['c.log', 'ours.log'])
        expect(readFileSync(file(name), 'latin1').endsWith('= End\n')).toBe(true);
    },
  );

  test('under MALLOC_CHECK_, which marks blocks, a trace begins and ends as well', async () => {
    const { code, stderr, told } = await runNode(
      `c.mtrace(${quoted('checked.log')}); const block = c.malloc(11111); c.muntrace(); c.free(block); c.free(c.malloc(22222)); tell(1);`,
      { env: { ...process.env, MALLOC_CHECK_: '3' } },
    );
    expect([code, stderr, told]).toEqual([0, '', [1]]);
    const log = readFileSync(file('checked.log'), 'latin1');
    expect([/ 0x2b67$/m.test(log), / 0x56ce$/m.test(log), log.endsWith('= End\n')]).toEqual([
      true,
      false,
      true,
    ]);
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
