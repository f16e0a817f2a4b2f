/** `memprobe lab` as it is installed. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { labs } from '../../lib/lab/labs.js';
import { type CommandOptions, type Ended, memprobe } from '../helpers/command.js';
import { runnable } from '../lab/reports.js';

const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

const lab = (args: string[], { env, ...options }: CommandOptions = {}) =>
  memprobe(['lab', ...args], { env: { TMPDIR: directory, ...env }, ...options });

const linesOf = ({ stdout }: Ended) => stdout.trimEnd().split('\n');

describe('memprobe lab', () => {
  test('lists every lab on a line of its own', async () => {
    const result = await lab([]);
    expect([result.code, result.stderr]).toEqual([0, '']);
    const lines = linesOf(result);
    for (const { name, summary } of labs) expect(lines).toContain(`${name.padEnd(9)} ${summary}`);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    const { stdout } = await lab(['--json']);
    expect(JSON.parse(stdout)).toEqual(labs.map(({ name, summary }) => ({ name, summary })));
  });

  test.each(runnable.map(({ name }) => [name]))('%s fits a terminal of 80 columns', async (name) => {
    const result = await lab([name], { env: { COLUMNS: undefined, FORCE_COLOR: undefined } });
    expect([result.code, result.stderr]).toEqual([0, '']);
    const lines = linesOf(result);
    expect(lines[0]).toMatch(new RegExp(`^${name}: `));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.filter((line) => line.startsWith('=> ')).length).toBeGreaterThan(0);
    expect(result.stdout).not.toMatch(/undefined|NaN|\x1b\[/);
  });

  test('shows differences, not whole maps', async () => {
    const { stdout } = await lab(['madvise']);
    expect(stdout).toMatch(/^ {2}\+ [0-9a-f]+-[0-9a-f]+ rw-p +1,025 .* block$/m);
    expect(stdout).toMatch(/statm: .*resident \+(9[5-9]\d|1,0\d\d)/); // before Linux 6.17 it lags by some dozen pages
    expect(stdout.split('\n').filter((line) => /^ {2}[-+~] [0-9a-f]+-/.test(line)).length).toBeLessThan(8);
  });

  test('has colours where they are forced, and none with NO_COLOR', async () => {
    const forced = await lab(['cow'], { env: { FORCE_COLOR: '1', NO_COLOR: undefined } });
    const never = await lab(['cow'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } });
    expect([forced, never].map(({ stdout }) => stdout.includes('\x1b['))).toEqual([true, false]);
  });

  test('--json has the same lesson in numbers', async () => {
    const { code, stdout } = await lab(['cow', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, lab: 'cow', pageSize: 4096 });
  });

  test('a lab that there is not is wrong usage, and those that there are are named', async () => {
    const { code, stderr } = await lab(['alchemy']);
    expect(code).toBe(2);
    expect(stderr).toContain("no lab 'alchemy'");
    expect(stderr).toContain('madvise');
  });

  test('where the native calls are missing, a lab says so and exits with 1', async () => {
    const { code, stdout, stderr } = await lab(['cow'], {
      env: { MEMPROBE_ADDON: '/nowhere/memprobe.node' },
    });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^memprobe: ERR_MEMPROBE_UNSUPPORTED/);
  });

  test('Ctrl-C ends it by that signal and leaves no file', async () => {
    const onStart = (child: ChildProcess) => {
      const timer = setInterval(() => {
        if (readdirSync(directory).length === 0) return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 20);
    };
    const { code, signal, stderr, stdout } = await lab(['malloc'], { onStart });
    expect([code, signal, stdout]).toEqual([null, 'SIGINT', '']);
    expect(stderr).toContain('interrupted');
    expect(readdirSync(directory)).toEqual([]);
  });
});
