/** `memprobe trace` as it is installed. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readRecording } from '../../lib/compare/trace.js';
import { underSanitizer } from '../helpers/child.js';
import { type CommandOptions, memprobe } from '../helpers/command.js';
import { compile, DEBUG_LIBRARY, GCC, makeDirectory, unless } from '../mtrace/support.js';

const directory = makeDirectory();
afterAll(directory.remove);

const trace = (args: string[], options: CommandOptions = {}) =>
  memprobe(['trace', ...args], { cwd: directory.path, ...options });

const here = (name: string): string => join(directory.path, name);

describe.skipIf(underSanitizer || unless({ libc_malloc_debug: DEBUG_LIBRARY }))(
  'memprobe trace -- program',
  () => {
    test('writes a log that only its owner can read, and its last word says how to go on', async () => {
      const { code, stdout, stderr } = await trace(['--', 'sh', '-c', 'echo hello; exit 7']);
      expect([code, stdout]).toEqual([7, 'hello\n']);
      const [, log = ''] = / of log in (memprobe\.sh\.\d+\.mt)\. To go on:\n/.exec(stderr) ?? [];
      expect(stderr).toContain(`\n  memprobe leaks ${log} `);
      expect(stderr).toContain(`\n  memprobe compare ${log} `);
      expect(statSync(here(log)).mode & 0o777).toBe(0o600);
      const { workload } = await readRecording(here(log), log);
      expect(workload.calls).toBeGreaterThan(10);
      const { code: status } = await memprobe(['leaks', here(log)]);
      expect(status).toBe(0);
    });

    test('the log has what the program allocates', async () => {
      const program =
        'const blocks = Array.from({ length: 100 }, () => Buffer.allocUnsafeSlow(123_457)); blocks.pop();';
      const { code } = await trace(['-o', 'node.mt', '--', process.execPath, '-e', program]);
      expect(code).toBe(0);
      const lines = readFileSync(here('node.mt'), 'latin1').match(/ \+ 0x[0-9a-f]+ 0x1e241$/gm) ?? [];
      expect(lines.length).toBeGreaterThanOrEqual(100);
    });

    test('an older log is overwritten where it is named, and a name that a shell would split is quoted', async () => {
      writeFileSync(here("it's old.mt"), 'old', { mode: 0o644 });
      const { code, stderr } = await trace(['-o', "it's old.mt", '--', 'true']);
      expect(code).toBe(0);
      expect(readFileSync(here("it's old.mt"), 'latin1')).toMatch(/^= Start\n/);
      expect(statSync(here("it's old.mt")).mode & 0o777).toBe(0o600);
      expect(stderr).toContain(`memprobe compare 'it'\\''s old.mt' `);
    });

    test('a program that dies by a signal: the same signal, and the log is said to be cut', async () => {
      const { code, signal, stderr } = await trace(['-o', 'died.mt', '--', 'sh', '-c', 'kill -SEGV $$']);
      expect([code, signal]).toEqual([null, 'SIGSEGV']);
      expect(stderr).toMatch(/died\.mt \(the program was ended by SIGSEGV: .*\)\. To go on:/);
    });

    test('a signal is passed on, and the program ends as it likes', async () => {
      const script = "trap 'echo trapped; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
      const { code, stdout } = await trace(['-o', 'signal.mt', '--', 'sh', '-c', script], {
        kill: ['SIGTERM', 'ready'],
      });
      expect([code, stdout]).toEqual([5, 'ready\ntrapped\n']);
      expect(existsSync(here('signal.mt'))).toBe(true);
    });

    test('never writes through a symbolic link, nor over what is no file', async () => {
      writeFileSync(here('precious'), 'precious');
      symlinkSync('precious', here('link.mt'));
      mkdirSync(here('folder'));
      for (const output of ['link.mt', 'folder', 'missing/app.mt']) {
        const { code, stdout, stderr } = await trace(['-o', output, '--', 'echo', 'started']);
        expect([code, stdout]).toEqual([1, '']);
        expect(stderr).toMatch(/cannot be written.*--output/);
      }
      expect(readFileSync(here('precious'), 'latin1')).toBe('precious');
    });

    test('a program that is not there leaves no log', async () => {
      const before = readdirSync(directory.path);
      const { code, stderr } = await trace(['--', 'no-such-program']);
      expect([code, stderr]).toEqual([1, expect.stringContaining('could not be started')]);
      expect(readdirSync(directory.path)).toEqual(before);
    });

    test.skipIf(unless({ gcc: GCC }))(
      'a program that cannot be traced is an error that says why',
      async () => {
        await compile(directory.path, 'static', 'int main(void) { return 0; }', '-static');
        const before = readdirSync(directory.path);
        const { code, stderr } = await trace(['--', here('static')]);
        expect([code, stderr]).toEqual([1, expect.stringContaining('statically linked')]);
        expect(readdirSync(directory.path)).toEqual(before);
      },
    );

    test('without a program it is wrong usage', async () => {
      expect((await trace([])).code).toBe(2);
    });
  },
);
