/** The addon's reader gives the same answers as the parser in TypeScript, whatever the log. */
import { writeFileSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type ParseOptions, parseMtrace, readMtrace, type Trace } from '../../lib/mtrace/index.js';
import { readNatively } from '../../lib/mtrace/native_log.js';
import { anyLog, outcome } from './logs.js';
import { makeDirectory } from './support.js';

const directory = makeDirectory();
afterAll(directory.remove);
const PATH = join(directory.path, 'trace.log');
const fixture = async (name: string) =>
  gunzipSync(await readFile(new URL(`../fixtures/mtrace/${name}.mt.gz`, import.meta.url)));

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function natively(whole: Uint8Array, options: ParseOptions, step?: number): Promise<Trace> {
  writeFileSync(PATH, whole);
  return withFile(PATH, (file) => readNatively(file, whole.subarray(0, 256), options, step));
}

async function expectSame(whole: Uint8Array, step?: number): Promise<void> {
  const expected = await outcome((options) => parseMtrace(whole, options));
  expect(await outcome((options) => natively(whole, options, step))).toEqual(expected);
}

const isGzip = (bytes: Uint8Array) => bytes[0] === 0x1f && bytes[1] === 0x8b;

describe('the same answer', () => {
  test('to any log, read in pieces of any length', async () => {
    const anyPlainLog = anyLog.filter((whole) => !isGzip(whole));
    await fc.assert(fc.asyncProperty(anyPlainLog, fc.integer({ min: 1, max: 3000 }), expectSame), {
      numRuns: 300,
    });
  });

  test.each(['sqlite3', 'perl', 'cc1-tail'])('to a real log, %s', async (name) => {
    const whole = await fixture(name);
    for (const step of [undefined, 4096, 65_537]) await expectSame(whole, step);
  });

  test('to a real log that is damaged anywhere, longer than the buffer of the reader', async () => {
    const whole = await fixture('perl');
    const log = Buffer.concat(Array.from({ length: Math.ceil(600_000 / whole.length) }, () => whole));
    const damage = fc.array(fc.tuple(fc.nat(log.length - 1), fc.nat(255)), { maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(damage, async (places) => {
        const damaged = Buffer.from(log);
        for (const [place, byte] of places) damaged[place] = byte;
        await expectSame(damaged);
      }),
      { numRuns: 10 },
    );
  });

  test.each([65_400, 65_536, 65_537, 70_000, 300_000, 700_000])('to lines of %i bytes', async (length) => {
    const after = '@ a:[0x115c] + 0x5000 0x10\n';
    const site = `@ ${'x'.repeat(length)}:[0x115c] + 0x1000 0x10\n`;
    for (const line of [site, `${'x'.repeat(length)}\n`, 'x'.repeat(length), `@ ${']'.repeat(length)}\n`])
      await expectSame(Buffer.from(`= Start\n${after}${line}${after}${site}`));
  });

  test('to a hundred thousand blocks, half of them freed, at addresses that end alike', async () => {
    const lines = Array.from(
      { length: 100_000 },
      (_, i) => `+ 0x${(i + 1).toString(16)}0000000 0x${i.toString(16)}\n`,
    );
    const frees = lines.filter((_, i) => i % 2 === 0).map((line) => `- ${line.split(' ')[1]}\n`);
    await expectSame(Buffer.from(`= Start\n${lines.join('')}${frees.join('')}`));
  });
});

test('readMtrace uses it, and keeps a hundred oddities where nobody asks for all', async () => {
  const frees = Array.from({ length: 300 }, (_, i) => `- 0x${i + 1}00\n`);
  writeFileSync(PATH, `= Start\n${frees.join('')}`);
  const trace = await readMtrace(PATH);
  expect([trace.unknownFrees, trace.oddities.length, trace.oddities[99]?.line]).toEqual([300, 100, 101]);
});

test('onSites is told every call site once', async () => {
  const named: string[] = [];
  writeFileSync(PATH, '= Start\n@ a:[0x115c] + 0x10 1\n@ b:[0x115c] + 0x20 1\n@ a:[0x115c] + 0x30 1\n');
  await readMtrace(PATH, { onSites: (sites) => named.push(...sites) });
  expect(named).toEqual(['a:[0x115c]', 'b:[0x115c]']);
});

test('interrupted, it gives what was read', async () => {
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const whole = await fixture('perl');
  const trace = await natively(whole, { signal, progress: () => interrupt.abort() }, 10_000);
  expect(trace).toMatchObject({ partial: true, bytes: 10_000 });
  expect(trace.reasons.join()).toContain('interrupted');
  expect(trace.live.blocks).toBeGreaterThan(0);
});

test('what is no log is not read to its end', async () => {
  const seen: number[] = [];
  const whole = Buffer.alloc(1 << 24, 'no log at all\n');
  const reading = natively(whole, { progress: (bytes) => seen.push(bytes) });
  await expect(reading).rejects.toMatchObject({ code: 'ERR_MEMPROBE_NOT_MTRACE' });
  expect(seen).toEqual([]);
});

test('an error of read(2) before the first byte is thrown', async () => {
  const reading = withFile('/', (file) => readNatively(file, new Uint8Array(), {}));
  await expect(reading).rejects.toMatchObject({ code: 'EISDIR' });
});
