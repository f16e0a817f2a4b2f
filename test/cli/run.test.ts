/** `memprobe run`, as it is installed. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findMallocDebug, mallocDebugEnvironment, status } from '../../lib/malloc_debug.js';
import { memprobe } from '../helpers/command.js';
import { needMallocDebug } from '../libc/preloaded.js';

const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

needMallocDebug();

/** Sends the signal when the program has said that it is ready. */
const run = (args: string[], kill?: NodeJS.Signals) =>
  memprobe(['run', ...args], { kill: kill && [kill, 'ready'] });

describe('memprobe run', () => {
  test('malloc debugging acts in the program, and its output is its own', async () => {
    const index = new URL('../../dist/index.js', import.meta.url).href;
    const code = `import(${JSON.stringify(index)}).then(({ mallocDebug }) => console.log(JSON.stringify(mallocDebug.status())))`;
    const result = await run(['--malloc-debug', '--', process.execPath, '-e', code]);
    expect([result.code, result.stderr]).toEqual([0, '']);
    expect(JSON.parse(result.stdout)).toMatchObject({
      active: true,
      mcheck: false,
      library: findMallocDebug(),
    });
    const checked = await run(['--mcheck', '--', process.execPath, '-e', code]);
    expect(JSON.parse(checked.stdout)).toMatchObject({ active: true, mcheck: true });
  });

  test('the exit code passes through', async () => {
    const { code, stderr } = await run(['--malloc-debug', '--mcheck', '--', 'sh', '-c', 'exit 42']);
    expect([code, stderr]).toEqual([42, '']);
  });

  test.each(['SIGTERM', 'SIGKILL', 'SIGABRT', 'SIGSEGV'] as const)(
    'a program that dies of %s passes that through',
    async (name) => {
      const { signal } = await run(['--malloc-debug', '--', 'sh', '-c', `kill -${name.slice(3)} $$`]);
      expect(signal).toBe(name);
    },
  );

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const)(
    '%s reaches the program, which decides',
    async (name) => {
      const code = `process.once('${name}', () => process.exit(7)); console.log('ready'); setInterval(() => {}, 1000)`;
      const result = await run(['--malloc-debug', '--', process.execPath, '-e', code], name);
      expect([result.code, result.signal]).toEqual([7, null]);
    },
  );

  test(
    'a signal that comes as soon as the program runs is the program’s, too',
    { timeout: 600_000 },
    async () => {
      const script = 'trap "exit 7" TERM; kill -TERM $PPID; for i in $(seq 300); do sleep 0.2; done';
      for (const start of [
        ['run', '--malloc-debug'],
        ['explain', '--after', '0'],
        ['numa', 'run', '-l'],
      ]) {
        for (let round = 0; round < 10; round += 1) {
          const { code, signal } = await memprobe([...start, '--', 'sh', '-c', script]);
          expect([code, signal], start.join(' ')).toEqual([7, null]);
        }
      }
    },
  );

  test('--mtrace logs a program that is not Node, through the exec of a wrapper', async () => {
    const log = join(directory, 'perl.log');
    const { code } = await run(['--mtrace', log, '--', 'env', 'perl', '-e', 'system "true"; print 1']);
    expect(code).toBe(0);
    expect(readFileSync(log, 'latin1')).toMatch(/^= Start\n@ \S*perl/);
  });

  test('bad command lines are exit code 2, and a program that is not there is 1', async () => {
    expect((await run(['--', 'true'])).code).toBe(2);
    expect((await run(['--malloc-debug'])).code).toBe(2);
    const both = await run(['--mcheck', '--mtrace', join(directory, 'x.log'), '--', 'true']);
    expect([both.code, existsSync(join(directory, 'x.log'))]).toEqual([2, false]);
    const missing = await run(['--malloc-debug', '--', join(directory, 'no-such-program')]);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('could not be started')]);
    const unwritable = await run(['--mtrace', join(directory, 'none/x.log'), '--', 'echo', 'ran']);
    expect([unwritable.code, unwritable.stdout, unwritable.stderr]).toEqual([
      1,
      '',
      expect.stringContaining('ENOENT'),
    ]);
  });
});

test('a log that can only be no file is refused before the program runs', async () => {
  for (const path of ['/dev/null', directory]) {
    const { code, stdout, stderr } = await run(['--mtrace', path, '--', 'echo', 'ran']);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining(`${path} can't take the log`)]);
  }
});

describe('mallocDebugEnvironment', () => {
  test('keeps what was preloaded, and its own variables do not leak from one program to the next', () => {
    const env = mallocDebugEnvironment({
      env: {
        LD_PRELOAD: 'libfoo.so',
        MEMPROBE_MTRACE: '/old',
        MEMPROBE_MTRACE_PID: '1',
        MEMPROBE_MCHECK: 'pedantic',
        A: '1',
      },
    });
    expect(env).toMatchObject({
      A: '1',
      LD_PRELOAD: expect.stringMatching(/^libc_malloc_debug.so.0:.*:libfoo.so$/),
    });
    expect(Object.keys(env).filter((name) => name.startsWith('MEMPROBE_'))).toEqual([]);
  });

  test('mcheck comes before the library that it turns on', () => {
    const [first, second] = mallocDebugEnvironment({ mcheck: true, env: {} }).LD_PRELOAD?.split(':') ?? [];
    expect(first).toMatch(/memprobe_mcheck\.so$/);
    expect(second).toBe('libc_malloc_debug.so.0');
  });

  test('mcheck and a trace exclude each other', () => {
    expect(() => mallocDebugEnvironment({ mcheck: true, trace: 'x' })).toThrow(
      expect.objectContaining({ code: 'ERR_MEMPROBE_UNSUPPORTED' }),
    );
  });
});

test('status says why nothing acts in a plain process', () => {
  expect(status()).toMatchObject({
    active: false,
    reason: expect.stringContaining('memprobe run --malloc-debug'),
  });
});
