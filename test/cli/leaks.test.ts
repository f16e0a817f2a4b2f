/** `memprobe leaks` as it is installed. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { type CommandOptions, memprobe } from '../helpers/command.js';
import { DEBUG_LIBRARY, makeDirectory, unless } from '../mtrace/support.js';

const FIXTURE = fileURLToPath(new URL('../fixtures/mtrace/perl.mt.gz', import.meta.url));
const directory = makeDirectory();
afterAll(directory.remove);

const leaks = (args: string[], { env, ...options }: CommandOptions = {}) =>
  memprobe(['leaks', ...args], { env: { TMPDIR: directory.path, ...env }, ...options });

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory.path, name);
  writeFileSync(path, content);
  return path;
}

describe('memprobe leaks trace.log', () => {
  test('tells what was not freed on at most a screen', async () => {
    const { code, stdout, stderr } = await leaks([FIXTURE]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(24);
    expect(stdout).toMatch(/1,0\d\d blocks with .* were not freed/);
  });

  test('prints the documented JSON', async () => {
    const { code, stdout } = await leaks([FIXTURE, '--json']);
    const report = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(Object.keys(report).slice(0, 4)).toEqual(['leaked', 'sites', 'unknownFrees', 'partial']);
    const sum = (name: 'blocks' | 'bytes') =>
      report.sites.reduce((total: number, site: Record<typeof name, number>) => total + site[name], 0);
    expect(report.leaked).toEqual({ blocks: sum('blocks'), bytes: sum('bytes') });
    expect(report.partial).toBe(false);
  });

  test('says the same where the addon cannot be loaded', async () => {
    const log = file('plain.mt', gunzipSync(readFileSync(FIXTURE)));
    const without = await leaks([log, '--json'], { env: { MEMPROBE_ADDON: '/nonexistent/memprobe.node' } });
    expect(without).toEqual(await leaks([log, '--json']));
    expect(JSON.parse(without.stdout).leaked.blocks).toBeGreaterThan(1000);
  });

  test('a truncated log gives a partial result', async () => {
    const whole = gunzipSync(readFileSync(FIXTURE));
    const cut = file('cut.mt', whole.subarray(0, whole.length - 5));
    const { code, stdout } = await leaks([cut, '--json']);
    expect([code, JSON.parse(stdout).partial]).toEqual([0, true]);
    expect((await leaks([cut])).stdout).toContain('breaks off');
  });

  test.each([
    ['a missing file', () => '/nonexistent/trace.log', 'ENOENT'],
    ['a directory', () => directory.path, 'EISDIR'],
    ['an empty file', () => file('empty', ''), 'empty'],
    ['a program', () => process.execPath, 'a program, a library or a core file'],
    ['another text', () => fileURLToPath(import.meta.url), 'not from mtrace'],
    ['binary data', () => file('binary', Buffer.alloc(5000, 1)), 'binary data'],
  ])('%s is an error that says so', async (_, path, words) => {
    const { code, stdout, stderr } = await leaks([path()]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test('two logs, and no log, are wrong usage', async () => {
    expect((await leaks(['a', 'b'])).code).toBe(2);
    expect((await leaks([])).code).toBe(2);
  });

  test('interrupted, it prints what it knows by then', async () => {
    const pipe = join(directory.path, 'pipe');
    await new Promise((resolve) => spawn('mkfifo', [pipe]).once('exit', resolve));
    // It looks at the signal between two pieces: they go on coming until it has, and closes the pipe.
    const script =
      'exec 3> "$1"; gunzip -c "$2" >&3; sleep 0.5; kill -INT "$3"; while echo "= End" >&3; do sleep 0.1; done';
    const result = await leaks([pipe, '--json'], {
      onStart: ({ pid }) =>
        void spawn('sh', ['-c', script, 'sh', pipe, FIXTURE, String(pid)], { stdio: 'ignore' }),
    });
    const report = JSON.parse(result.stdout);
    expect([report.partial, report.leaked.blocks]).toEqual([true, expect.any(Number)]);
    expect(report.reasons.join()).toContain('interrupted');
  });
});

describe.skipIf(unless({ libc_malloc_debug: DEBUG_LIBRARY }))('memprobe leaks -- program', () => {
  test('a Node program: its output and exit code pass through, and nothing is left behind', async () => {
    const before = readdirSync(directory.path);
    const program = "console.log('hello'); process.exitCode = 7";
    const { code, stdout, stderr } = await leaks(['--', process.execPath, '-e', program]);
    expect([code, stderr]).toEqual([7, '']);
    expect(stdout).toMatch(/^hello\n/);
    expect(stdout).toMatch(/[\d,]+ blocks with .* were not freed/);
    expect(readdirSync(directory.path)).toEqual(before);
  });

  test('a program that dies by a signal: partial, and the same signal', async () => {
    const { code, signal, stdout } = await leaks(['--json', '--', 'sh', '-c', 'echo $$; kill -SEGV $$']);
    expect([code, signal]).toEqual([null, 'SIGSEGV']);
    const report = JSON.parse(stdout);
    expect([report.partial, report.reasons.join()]).toEqual([true, expect.stringContaining('SIGSEGV')]);
    expect(report.operations).toBeGreaterThan(0);
  });

  test('live Buffers of a Node program that is ended by a signal', async () => {
    const held = 'globalThis.held = Array.from({ length: 10 }, () => Buffer.alloc(2 ** 20, 1));';
    const { stdout } = await leaks([
      '--',
      process.execPath,
      '-e',
      `${held} process.kill(process.pid, 'SIGKILL')`,
    ]);
    expect(stdout).toContain('Buffers (NodeArrayBufferAllocator)');
    expect(stdout.trimEnd()).not.toMatch(/others:$/);
  });

  test('of one that ends by itself, that they are not seen; it is one object, though it overwrites its name', async () => {
    const { stdout } = await leaks(['--json', '--', process.execPath, '-e', "process.title = 'another'"]);
    const { objects, notes } = JSON.parse(stdout);
    expect(notes.join()).toContain('end it with Ctrl-C or SIGKILL to see live Buffers');
    const names = objects.map(({ object }: { object: string }) => object);
    expect(names).toContain(process.execPath);
    expect(names.filter((name: string) => !name.startsWith('/'))).toEqual([]);
  });

  test('what a launcher starts is said not to be traced, and _exit is told by its name', async () => {
    const { stdout } = await leaks(['--', 'sh', '-c', 'sleep 2; true']);
    const text = stdout.replace(/\s+(! )?/g, ' ');
    expect(text).toContain('this is sh alone; it started 1 program (sleep) that was not traced');
    expect(text).toContain('the program ended without running exit handlers (_exit)');
    expect(text).not.toContain('still running');
  });

  test('with --json standard output is the JSON alone, and the program writes to standard error', async () => {
    const { code, stdout, stderr } = await leaks(['--json', '--', 'echo', 'hello']);
    expect([code, stderr]).toEqual([0, 'hello\n']);
    expect(JSON.parse(stdout).leaked).toBeDefined();
  });

  test('bash, which has a setenv of its own, is traced like any program', async () => {
    const { code, stdout, stderr } = await leaks(['--json', '--', 'bash', '-c', 'true']);
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout).leaked.blocks).toBeGreaterThan(10);
  });

  test('--output keeps the log, and an old one is not taken for it', async () => {
    const log = file('kept.mt', 'old');
    const { code } = await leaks(['-o', log, '--', 'sh', '-c', 'exit 0']);
    expect(code).toBe(0);
    expect(readFileSync(log, 'latin1')).toMatch(/^= Start\n/);
    expect((await leaks([log])).code).toBe(0);
  });

  test('a directory that cannot be written is an error before the program starts', async () => {
    const missing = join(directory.path, 'missing');
    for (const [args, env] of [
      [[], { TMPDIR: missing }],
      [['-o', join(missing, 'trace.log')], {}],
      [['-o', directory.path], {}],
    ] satisfies [string[], NodeJS.ProcessEnv][]) {
      const { code, stdout, stderr } = await leaks([...args, '--', 'echo', 'started'], { env });
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain('cannot be written');
      expect(stderr).toContain('--output');
    }
  });

  test('a program that is not there', async () => {
    const { code, stderr } = await leaks(['--', 'no-such-program']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('could not be started')]);
  });
});
