/** `memprobe compare` as it is installed. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { underSanitizer } from '../helpers/child.js';
import { type CommandOptions, memprobe } from '../helpers/command.js';
import { makeDirectory } from '../mtrace/support.js';

const SQLITE = fileURLToPath(new URL('../fixtures/traces/sqlite3.mt.gz', import.meta.url));
const directory = makeDirectory();
afterAll(directory.remove);

const compare = (args: string[], { env, ...options }: CommandOptions = {}) =>
  memprobe(['compare', ...args], {
    env: { TMPDIR: directory.path, COLUMNS: undefined, ...env },
    ...options,
  });

const childrenOf = ({ pid }: ChildProcess): string =>
  existsSync(`/proc/${pid}/task/${pid}/children`)
    ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
    : '';

describe.skipIf(underSanitizer)('memprobe compare', () => {
  test('replays a log with pictures and a page of charts, and its verdict comes first', async () => {
    const html = join(directory.path, 'page.html');
    const { code, stdout, stderr } = await compare([SQLITE, '--picture', '--html', html], {
      env: { NO_COLOR: '1' },
    });
    expect([code, stderr]).toEqual([0, `memprobe: the charts are in ${html}\n`]);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^memprobe's malloc in TypeScript /);
    expect(lines.some((line) => line.startsWith('sqlite3.mt.gz: 13,791 calls, at most 393 KiB live'))).toBe(
      true,
    );
    for (const label of ['TypeScript', 'glibc', 'glibc, called from JS'])
      expect(
        lines.some((line) => new RegExp(`^${label} +[\\d.]+ +[\\d.]+ KiB`).test(line)),
        label,
      ).toBe(true);
    expect(stdout).toMatch(/^ {2}[·░▒▓█]{60,}$/m);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(readFileSync(html, 'utf8')).toMatch(/^<!doctype html>[^]*<polyline/);
  });

  test('--json has the figures of every allocator in bytes, and what a cut log leaves open', async () => {
    const cut = join(directory.path, 'cut.mt');
    writeFileSync(cut, gunzipSync(readFileSync(SQLITE)).subarray(0, 300_000));
    const { code, stdout } = await compare([cut, '--workload', 'lifo 16', '--json']);
    expect(code).toBe(0);
    const { version, workloads, summary } = JSON.parse(stdout);
    expect(version).toBe(1);
    expect(workloads.map(({ workload }: { workload: string }) => workload)).toEqual(['cut.mt', 'LIFO 16']);
    expect(workloads[0].notes.join()).toContain('breaks off');
    for (const { results, peakLive } of workloads) {
      expect(results.length).toBe(3);
      for (const { nanoseconds, peak, resident, faults } of results) {
        expect(nanoseconds).toBeGreaterThan(0);
        expect(peak).toBeGreaterThan(peakLive);
        expect(resident).toBeGreaterThan(0);
        expect(faults.minor).toBeGreaterThanOrEqual(0);
      }
    }
    expect(Object.keys(summary)).toEqual(['time', 'called', 'memory']);
  });

  test('Ctrl-C ends it by that signal, and leaves no process and no file', async () => {
    const before = readdirSync(directory.path);
    let children: string[] = [];
    const onStart = (child: ChildProcess) => {
      const timer = setInterval(() => {
        children = childrenOf(child).split(' ');
        if (children.length < 3) return;
        clearInterval(timer);
        child.kill('SIGINT');
      }, 20);
    };
    const result = await compare(['--workload', '500k'], { onStart });
    expect([result.code, result.signal, result.stdout]).toEqual([null, 'SIGINT', '']);
    expect(result.stderr).toBe('memprobe: interrupted: the replays were ended\n');
    expect(children.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(readdirSync(directory.path)).toEqual(before);
  });
});

describe('memprobe compare refuses', () => {
  const file = (name: string, content: string): string => {
    const path = join(directory.path, name);
    writeFileSync(path, content);
    return path;
  };

  test.each([
    ['a file that is missing', () => '/nonexistent/app.mt', 'ENOENT'],
    ['a directory', () => directory.path, 'EISDIR'],
    ['an empty file', () => file('empty', ''), 'empty'],
    ['a program', () => process.execPath, 'a program, a library or a core file'],
    ['another text', () => fileURLToPath(import.meta.url), 'not from mtrace'],
    ['a log without a call', () => file('none', '= Start\n= End\n'), 'nothing to replay'],
  ])('%s', async (_, path, words) => {
    const { code, stdout, stderr } = await compare([SQLITE, path()]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test('a workload that there is not, and names those that there are', async () => {
    for (const name of ['alchemy', '', 'lifo,']) {
      const { code, stdout, stderr } = await compare(['--workload', name]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('malloc-thread');
    }
  });

  test('a page that cannot be written, before it replays', async () => {
    mkdirSync(join(directory.path, 'folder'));
    for (const path of ['/nonexistent/page.html', join(directory.path, 'folder'), '/proc/page.html']) {
      const { code, stdout, stderr } = await compare(['--html', path]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/cannot be written: .*--html/);
    }
  });

  test('to go on where the addon is not there, and says why', async () => {
    const { code, stdout, stderr } = await compare(['--workload', 'LIFO'], {
      env: { MEMPROBE_ADDON: '/nowhere/memprobe.node' },
    });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/ERR_MEMPROBE_UNSUPPORTED/);
  });
});
