/** Logs of mtrace become workloads. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { readRecording } from '../../lib/compare/trace.js';
import { makeDirectory } from '../mtrace/support.js';
import { naive } from './naive.js';

const directory = makeDirectory();
afterAll(directory.remove);

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/traces/${name}.mt.gz`, import.meta.url));

async function operations(...lines: string[]): Promise<[number, number][]> {
  const path = join(directory.path, 'log');
  writeFileSync(path, ['= Start', ...lines, '= End', ''].join('\n'));
  const { ops } = (await readRecording(path, 'log')).workload;
  return Array.from({ length: ops.length / 2 }, (_, i) => [ops[2 * i] ?? 0, ops[2 * i + 1] ?? 0]);
}

const call = (text: string): string => `@ ./app:(main+1c)[0x115c] ${text}`;

describe('a log becomes a stream', () => {
  test('in which a freed slot is used again, and what is left is freed', async () => {
    expect(
      await operations(
        call('+ 0x1000 0x10'),
        call('+ 0x2000 0x20'),
        call('- 0x1000'),
        call('+ 0x3000 0x30'),
        call('- 0x2000'),
      ),
    ).toEqual([
      [0, 16],
      [1, 32],
      [0, 0],
      [0, 48],
      [1, 0],
      [0, 0],
    ]);
  });

  test('a realloc is one, whether the block moves or not', async () => {
    const moved = [call('+ 0x1000 0x10'), call('< 0x1000'), call('> 0x2000 0x40'), call('- 0x2000')];
    const stayed = moved.map((line) => line.replace('0x2000', '0x1000'));
    const expected = [
      [0, 16],
      [0, -64],
      [0, 0],
    ];
    expect(await operations(...moved)).toEqual(expected);
    expect(await operations(...stayed)).toEqual(expected);
  });

  test('half a realloc is a free, or an allocation', async () => {
    expect(await operations(call('+ 0x1000 0x10'), call('< 0x1000'), call('+ 0x2000 0x20'))).toEqual([
      [0, 16],
      [0, 0],
      [0, 32],
      [0, 0],
    ]);
    expect(await operations(call('> 0x1000 0x10'), call('- 0x1000'))).toEqual([
      [0, 16],
      [0, 0],
    ]);
  });

  test('what is freed but was never allocated, failed, or got NULL is left out', async () => {
    expect(
      await operations(
        call('- 0x5000'),
        call('! 0x1000 0xffffffff'),
        call('+ (nil) 0x10'),
        call('+ 0x1000 0'),
      ),
    ).toEqual([
      [0, 1],
      [0, 0],
    ]);
  });

  test('an allocation where a block still is frees that first', async () => {
    expect(await operations(call('+ 0x1000 0x10'), call('+ 0x1000 0x20'))).toEqual([
      [0, 16],
      [0, 0],
      [0, 32],
      [0, 0],
    ]);
  });

  test('addresses of 56 bits, the longest that programs have, are told apart', async () => {
    const [one, other] = ['0xff000000000010', '0xff000000000020'].map((at) => call(`+ ${at} 0x10`));
    expect(await operations(one ?? '', other ?? '')).toEqual([
      [0, 16],
      [1, 16],
      [0, 0],
      [1, 0],
    ]);
  });

  test('2 GiB or more are left out, and it says so', async () => {
    const path = join(directory.path, 'large');
    writeFileSync(path, `= Start\n${call('+ 0x1000 0x80000000')}\n${call('+ 0x2000 0x7fffffff')}\n= End\n`);
    const { workload, notes } = await readRecording(path, 'large');
    expect([workload.calls, workload.peakLive]).toEqual([2, 0x7fffffff]);
    expect(notes.join()).toContain('left out: 1 allocation of 2 GiB or more');
  });
});

describe.each(['sqlite3', 'perl', 'cc1'])('the log of %s', (name) => {
  test('has the allocations that a search for their lines finds, and packed or not is the same', async () => {
    const { workload } = await readRecording(fixture(name), name);
    const text = gunzipSync(readFileSync(fixture(name)));
    const lines = text.toString('latin1').match(/^@ .* [+>] 0x[0-9a-f]+ /gm) ?? [];
    const allocations = Array.from(workload.ops.filter((size, i) => i % 2 === 1 && size !== 0)).length;
    expect(allocations).toBe(lines.length);
    const { left, peakLive, calls } = naive(workload.ops);
    expect([left, peakLive, calls]).toEqual([0, workload.peakLive, workload.calls]);
    const plain = join(directory.path, name);
    writeFileSync(plain, text);
    expect(Array.from((await readRecording(plain, name)).workload.ops)).toEqual(Array.from(workload.ops));
  });
});

describe('what is no whole log', () => {
  test('a log that breaks off is replayed as far as it goes, with a note', async () => {
    const path = join(directory.path, 'cut.gz');
    writeFileSync(path, gzipSync(gunzipSync(readFileSync(fixture('sqlite3'))).subarray(0, 100_000)));
    const { workload, notes } = await readRecording(path, 'cut');
    expect(workload.calls).toBeGreaterThan(100);
    expect(notes.join()).toContain('breaks off');
  });

  test('a damaged gzip file gives what could be unpacked', async () => {
    const path = join(directory.path, 'damaged.gz');
    writeFileSync(path, readFileSync(fixture('perl')).subarray(0, 100_000));
    const { workload, notes } = await readRecording(path, 'damaged');
    expect(workload.calls).toBeGreaterThan(1000);
    expect(notes.length).toBeGreaterThan(0);
  });

  test('something else is an error that says what', async () => {
    await expect(readRecording(process.execPath, 'node')).rejects.toMatchObject({
      code: 'ERR_MEMPROBE_NOT_MTRACE',
      message: expect.stringContaining('ELF'),
    });
    const empty = join(directory.path, 'empty');
    writeFileSync(empty, '');
    await expect(readRecording(empty, 'empty')).rejects.toMatchObject({ code: 'ERR_MEMPROBE_EMPTY_LOG' });
  });
});
