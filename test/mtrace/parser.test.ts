/** The log's language, line by line. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MtraceError, type Oddity, parseMtrace, readMtrace } from '../../lib/mtrace/index.js';
import { anyLog, cutAt, outcome } from './logs.js';
import { findings } from './support.js';

const bytes = (...lines: string[]) => Buffer.from(lines.map((line) => `${line}\n`).join(''));
const log = (...lines: string[]) => bytes('= Start', ...lines);
const blocksOf = async (source: Uint8Array) => [...(await parseMtrace(source)).live];
const FIXTURE = new URL('../fixtures/mtrace/perl.mt.gz', import.meta.url);

describe('calls', () => {
  test('a block lives from + to -', async () => {
    const lines = ['@ ./app:(main+1c)[0x115c] + 0x55d0c8b732a0 0x10', '@ ./app:[0x1180] - 0x55d0c8b732a0'];
    expect(await blocksOf(log(...lines))).toEqual([]);
    expect(await blocksOf(log(lines[0] ?? ''))).toEqual([
      { address: 0x55d0c8b732a0n, size: 16, site: './app:(main+1c)[0x115c]', line: 2 },
    ]);
  });

  test('a log may be given as text', async () => {
    const lines = ['= Start', '@ a:[0x115c] + 0x1000 0x10', ''];
    expect([...(await parseMtrace(lines.join('\n'))).live]).toEqual(
      await blocksOf(bytes(...lines.slice(0, 2))),
    );
  });

  test('what is no log at all is an argument of the wrong type', async () => {
    for (const source of [undefined, null, 5, {}]) {
      // @ts-expect-error what JavaScript would let through
      const refused = await parseMtrace(source).catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringContaining('source'),
      });
    }
  });

  test('a realloc takes the old block away and belongs to its own call site', async () => {
    const trace = await parseMtrace(
      log('@ a:[0x115c] + 0x1000 0x10', '@ a:[0x2222] < 0x1000', '@ a:[0x2222] > 0x2000 0x1000'),
    );
    expect([...trace.live]).toEqual([{ address: 0x2000n, size: 4096, site: 'a:[0x2222]', line: 4 }]);
    expect(trace.operations).toBe(3);
  });

  test('a failed realloc leaves its block alone, and NULL is no block', async () => {
    const trace = await parseMtrace(
      log('@ a:[0x115c] + 0x1000 0x10', '@ a:[0x115c] ! 0x1000 0xfffffffff', '@ a:[0x115c] + (nil) 0xffff'),
    );
    expect([trace.live.blocks, trace.failed, trace.malformed]).toEqual([1, 2, 0]);
  });

  test('a size of 0 is written without 0x', async () => {
    expect(await blocksOf(log('@ a:[0x115c] + 0x1000 0'))).toMatchObject([{ size: 0 }]);
  });

  test('all 64 bits of an address count', async () => {
    const addresses = [0xffff_ffff_ffff_fff0n, 0xffff_ffff_ffff_ffe0n, 0x8000_0000n, 0x1_8000_0000n, 0x1n];
    const lines = addresses.map((address) => `@ a:[0x115c] + 0x${address.toString(16)} 0x1`);
    const found = (await blocksOf(log(...lines))).map(({ address }) => address);
    expect(new Set(found)).toEqual(new Set(addresses));
  });

  test.each([
    ['a path with spaces and brackets', '/opt/my app [x] + y/a.so:(f+1)[0x115c]'],
    ['a negative offset', '/a.so:(_Znwm-1c)[0x115c]'],
    ['an absolute address alone', '[0x7f0012345678]'],
    ['UTF-8', '/tmp/Zoë/ä.node:[0x115c]'],
    ['a colon in the path', '/a:b/c.so:[0x115c]'],
  ])('a call site may be %s', async (_, site) => {
    expect(await blocksOf(log(`@ ${site} + 0x1000 0x10`, `@ ${site} + 0x2000 0x10`))).toMatchObject([
      { site },
      { site },
    ]);
  });

  test('a call without a known caller has no site', async () => {
    expect(await blocksOf(log('+ 0x1000 0x10'))).toMatchObject([{ site: '' }]);
  });

  test('a site that begins as another one does is its own', async () => {
    const sites = ['a.so:[0x115c]', 'a.so:[0x115c] b.so:[0x115c]', 'a.so:[0x115c]'];
    const found = await blocksOf(log(...sites.map((site, i) => `@ ${site} + 0x${i + 1}000 0x10`)));
    expect(found.toSorted((a, b) => a.line - b.line).map(({ site }) => site)).toEqual(sites);
  });

  test('frees of unknown addresses and duplicates are told with call, line and site', async () => {
    const oddities: Oddity[] = [];
    const lines = ['- 0x10', '@ a:[0x115c] + 0x20 0x1', '@ b:[0x115c] + 0x20 0x2', '@ c:[0x115c] < 0x30'];
    const trace = await parseMtrace(log(...lines), { onOddity: (oddity) => oddities.push(oddity) });
    expect(oddities).toEqual([
      { kind: 'unknown-free', call: 'free', address: 0x10n, line: 2, site: '' },
      { kind: 'duplicate', call: 'malloc', address: 0x20n, line: 4, site: 'b:[0x115c]' },
      { kind: 'unknown-free', call: 'realloc', address: 0x30n, line: 5, site: 'c:[0x115c]' },
    ]);
    expect([trace.unknownFrees, trace.duplicates, trace.live.bytes]).toEqual([2, 1, 1]);
  });
});

describe('a log that is not whole', () => {
  test('ends with = End, or without: both are whole', async () => {
    const line = '@ a:[0x115c] + 0x1000 0x10';
    expect(await parseMtrace(log(line))).toMatchObject({ ended: false, partial: false });
    expect(await parseMtrace(log(line, '= End'))).toMatchObject({ ended: true, partial: false });
    const unfinished = log(line, '= End').subarray(0, -1);
    expect(await parseMtrace(unfinished)).toMatchObject({ ended: true, partial: false, lines: 3 });
  });

  test('a cut last line does not count, and the rest does', async () => {
    const whole = log('@ a:[0x115c] + 0x1000 0x10', '@ a:[0x115c] + 0x2000 0x1000');
    const trace = await parseMtrace(whole.subarray(0, -3));
    expect(trace).toMatchObject({ partial: true, live: { blocks: 1, bytes: 16 } });
    expect(trace.reasons.join()).toContain('breaks off');
  });

  test('a missing beginning is said', async () => {
    const trace = await parseMtrace(bytes('@ a:[0x115c] - 0x1000'));
    expect([trace.partial, trace.unknownFrees]).toEqual([true, 1]);
    expect(trace.reasons.join()).toContain('= Start');
  });

  test.each([
    '@ a:[0x115c] + 0x1000',
    '@ a:[0x115c] + 0xg 0x1',
    '@ a:[0x115c] + 0x 0x1',
    '@ a:[0x115c] + 0x11112222333344445 0x1',
    '@ a:[0x115c] - 0x1000 0x10',
    '@ a:[0x115c] * 0x1000 0x10',
    '@ a:[0x115c + 0x1000 0x10',
    '= Stop',
    '',
    'x'.repeat(70_000),
    `@ ${'x'.repeat(70_000)}:[0x115c] + 0x1000 0x10`,
  ])('%#: such a line is not of mtrace', async (line) => {
    const trace = await parseMtrace(log(line, '@ a:[0x115c] + 0x5000 0x10'));
    expect([trace.malformed, trace.partial, trace.live.blocks, trace.lines]).toEqual([1, true, 1, 3]);
  });

  test('Windows line ends are forgiven', async () => {
    const text = log('@ a:[0x115c] + 0x5000 0x10', '= End').toString().replaceAll('\n', '\r\n');
    expect(await parseMtrace(Buffer.from(text))).toMatchObject({ malformed: 0, ended: true });
  });

  test('an interrupted reading gives what was read', async () => {
    const interrupt = new AbortController();
    const line = log('@ a:[0x115c] + 0x5000 0x10');
    async function* source() {
      yield line;
      interrupt.abort();
      yield line;
    }
    const trace = await parseMtrace(source(), { signal: interrupt.signal });
    expect(trace).toMatchObject({ partial: true, live: { blocks: 1 } });
    expect(trace.reasons.join()).toContain('interrupted');
  });

  test('a source that fails midway gives what was read; one that fails at once throws', async () => {
    async function* failing(...chunks: Uint8Array[]) {
      yield* chunks;
      throw new Error('the disk is gone');
    }
    const trace = await parseMtrace(failing(log('@ a:[0x115c] + 0x5000 0x10')));
    expect([trace.live.blocks, trace.reasons.join()]).toEqual([
      1,
      expect.stringContaining('the disk is gone'),
    ]);
    await expect(parseMtrace(failing())).rejects.toThrow('the disk is gone');
  });
});

describe('gzip', () => {
  test('is told by its first bytes, whatever the chunks', async () => {
    const packed = await readFile(FIXTURE);
    const [plain] = await findings(gunzipSync(packed));
    expect((await findings(packed))[0]).toEqual(plain);
    const single = Array.from(packed.subarray(0, 3), (byte) => Uint8Array.of(byte));
    expect((await findings([...single, packed.subarray(3)]))[0]).toEqual(plain);
  });

  test('a truncated file gives what could be unpacked', async () => {
    const packed = await readFile(FIXTURE);
    const trace = await parseMtrace(packed.subarray(0, packed.length / 2));
    expect(trace.partial).toBe(true);
    expect(trace.operations).toBeGreaterThan(100);
  });
});

describe('what is no log', () => {
  test.each([
    ['ELF', readFileSync('/proc/self/exe').subarray(0, 1 << 21)],
    ['text', readFileSync(new URL(import.meta.url))],
    ['JSON', Buffer.from('{"a": [1, 2]}')],
    ['heap snapshot', Buffer.from('{"snapshot":{"meta":{}}}')],
    ['Valgrind', Buffer.from('==123== Memcheck, a memory error detector\n')],
    ['binary', Buffer.from([0, 1, 2, 3, 4])],
    ['gzip', gzipSync(gzipSync('= Start\n'))],
    ['gzip', Buffer.from([0x1f, 0x8b, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7])],
  ])('%s is named as what it looks like', async (name, source) => {
    await expect(parseMtrace(source)).rejects.toMatchObject({
      code: 'ERR_MEMPROBE_NOT_MTRACE',
      message: expect.stringContaining(name),
    });
  });

  test('an empty log is an error of its own', async () => {
    await expect(parseMtrace(Buffer.alloc(0))).rejects.toMatchObject({ code: 'ERR_MEMPROBE_EMPTY_LOG' });
  });

  test('is not read to its end', async () => {
    let chunks = 0;
    function* endless() {
      for (;;) {
        chunks++;
        yield Buffer.alloc(1 << 16, 'no log at all\n');
      }
    }
    await expect(parseMtrace(endless())).rejects.toBeInstanceOf(MtraceError);
    expect(chunks).toBeLessThan(40);
  });

  test('a missing file and a directory are system errors', async () => {
    await expect(readMtrace('/nonexistent/trace.log')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readMtrace('/')).rejects.toMatchObject({ code: 'EISDIR' });
  });
});

describe('whatever comes', () => {
  test('only its own errors are thrown, and chunk boundaries make no difference', async () => {
    await fc.assert(
      fc.asyncProperty(anyLog, fc.array(fc.nat(5000), { maxLength: 20 }), async (whole, places) => {
        const at = await outcome((options) => parseMtrace(whole, options));
        const cut = await outcome((options) => parseMtrace(cutAt(whole, places), options));
        expect(cut).toEqual(at);
      }),
      { numRuns: 400 },
    );
  });

  test('a real log in chunks of any size gives the same', async () => {
    const whole = gunzipSync(await readFile(FIXTURE));
    const expected = await findings(whole);
    for (const size of [1, 7, 64, 4096, 65_536]) {
      const places = Array.from({ length: Math.floor(whole.length / size) }, (_, i) => (i + 1) * size);
      expect((await findings(cutAt(whole, places)))[0]).toEqual(expected[0]);
    }
  });
});
