/** `memprobe lab` as it is installed. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { labs } from '../../lib/lab/labs.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

function memprobe(args: string[], env: NodeJS.ProcessEnv = {}, interrupt = false): Promise<Result> {
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: directory, ...env },
  });
  const result = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => (result[name] += text));
  const running = () => readdirSync(directory).length > 0;
  const timer = setInterval(() => interrupt && running() && child.kill('SIGINT'), 20);
  return new Promise((resolve) =>
    child.once('close', (code, signal) => {
      clearInterval(timer);
      resolve({ code, signal, ...result });
    }),
  );
}

const linesOf = ({ stdout }: Result) => stdout.trimEnd().split('\n');

describe('memprobe lab', () => {
  test('lists every lab on a line of its own', async () => {
    const result = await memprobe(['lab']);
    expect([result.code, result.stderr]).toEqual([0, '']);
    const lines = linesOf(result);
    for (const { name, summary } of labs) expect(lines).toContain(`${name.padEnd(9)} ${summary}`);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    const { stdout } = await memprobe(['lab', '--json']);
    expect(JSON.parse(stdout)).toEqual(labs.map(({ name, summary }) => ({ name, summary })));
  });

  test.each(labs.map(({ name }) => [name]))('%s fits a terminal of 80 columns', async (name) => {
    const result = await memprobe(['lab', name], { COLUMNS: undefined, FORCE_COLOR: undefined });
    expect([result.code, result.stderr]).toEqual([0, '']);
    const lines = linesOf(result);
    expect(lines[0]).toMatch(new RegExp(`^${name}: `));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.filter((line) => line.startsWith('=> ')).length).toBeGreaterThan(0);
    expect(result.stdout).not.toMatch(/undefined|NaN|\x1b\[/);
  });

  test('shows differences, not whole maps', async () => {
    const { stdout } = await memprobe(['lab', 'madvise']);
    expect(stdout).toMatch(/^ {2}\+ [0-9a-f]+-[0-9a-f]+ rw-p +1,025 .* block$/m);
    expect(stdout).toMatch(/statm: .*resident \+1,02\d/);
    expect(stdout.split('\n').filter((line) => /^ {2}[-+~] [0-9a-f]+-/.test(line)).length).toBeLessThan(8);
  });

  test('has colours where they are forced, and none with NO_COLOR', async () => {
    const forced = await memprobe(['lab', 'cow'], { FORCE_COLOR: '1', NO_COLOR: undefined });
    const never = await memprobe(['lab', 'cow'], { FORCE_COLOR: '1', NO_COLOR: '1' });
    expect([forced, never].map(({ stdout }) => stdout.includes('\x1b['))).toEqual([true, false]);
  });

  test('--json has the same lesson in numbers', async () => {
    const { code, stdout } = await memprobe(['lab', 'cow', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, lab: 'cow', pageSize: 4096 });
  });

  test('a lab that there is not is wrong usage, and those that there are are named', async () => {
    const { code, stderr } = await memprobe(['lab', 'alchemy']);
    expect(code).toBe(2);
    expect(stderr).toContain("no lab 'alchemy'");
    expect(stderr).toContain('madvise');
  });

  test('where the native calls are missing, a lab says so and exits with 1', async () => {
    const { code, stdout, stderr } = await memprobe(['lab', 'cow'], {
      MEMPROBE_ADDON: '/nowhere/memprobe.node',
    });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^memprobe: ERR_MEMPROBE_UNSUPPORTED/);
  });

  test('Ctrl-C ends it with exit code 1 and leaves no file', async () => {
    const { code, signal, stderr, stdout } = await memprobe(['lab', 'malloc'], {}, true);
    expect([code, signal, stdout]).toEqual([null, 'SIGINT', '']);
    expect(stderr).toContain('interrupted');
    expect(readdirSync(directory)).toEqual([]);
  });
});
