/** Names and lines for call sites of programs compiled here, so that the right answer is known. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  findLeaks,
  parseMtrace,
  parseSite,
  readMtrace,
  renderLeaks,
  symbolize,
} from '../../lib/mtrace/index.js';
import { compile, DEBUG_LIBRARY, GCC, has, makeDirectory, traced, unless } from './support.js';

const directory = makeDirectory();
afterAll(directory.remove);

const PROGRAM = `#include <stdlib.h>
#include <string.h>
void* kept[9];
static void hidden(int i) {
  kept[i] = malloc(100 + i); // line 5
}
int main(void) {
  for (int i = 0; i < 4; i++) hidden(i);
  kept[8] = realloc(malloc(10), 5000); // line 9
  free(malloc(7));
  return 0;
}
`;
const TOOLS = { gcc: GCC, libc_malloc_debug: DEBUG_LIBRARY, addr2line: has('addr2line', '--version') };
const BUILDS: [name: string, flags: string[]][] = [
  ['position-independent', ['-pie', '-fPIE']],
  ['classic', ['-no-pie', '-fno-pie']],
];

describe.skipIf(unless(TOOLS))('a program with debug information', () => {
  test.each(BUILDS)('%s: functions that are not exported, and source lines', async (name, flags) => {
    const program = await compile(directory.path, name, PROGRAM, '-g', '-O0', ...flags);
    const log = await traced(directory.path, name, program, []);
    const report = await symbolize(findLeaks(await readMtrace(log)));
    expect(report.sites.slice(0, 2)).toMatchObject([
      { symbol: 'main', source: expect.stringMatching(/\.c:9$/), blocks: 1, bytes: 5000 },
      { symbol: 'hidden', source: expect.stringMatching(/\.c:5$/), blocks: 4, bytes: 406 },
    ]);
    const [, hidden] = report.sites;
    expect(hidden?.last).toBe((hidden?.first ?? 0) + 3);
    expect(Object.keys(hidden ?? {}).slice(0, 5)).toEqual(['site', 'symbol', 'source', 'blocks', 'bytes']);
  });

  test.skipIf(unless({ objcopy: has('objcopy', '--version') }))(
    'lines that were split off are found',
    async () => {
      const program = await compile(directory.path, 'split', PROGRAM, '-g', '-O0');
      const debug = `${program}.debug`;
      execFileSync('objcopy', ['--only-keep-debug', program, debug]);
      execFileSync('objcopy', ['--strip-all', `--add-gnu-debuglink=${debug}`, program]);
      const log = await traced(directory.path, 'split', program, []);
      const sources = async () =>
        (await symbolize(findLeaks(await readMtrace(log)))).sites.slice(0, 2).map(({ source }) => source);
      expect(await sources()).toEqual([expect.stringMatching(/\.c:9$/), expect.stringMatching(/\.c:5$/)]);
      rmSync(debug);
      expect(await sources()).toEqual([undefined, undefined]);
    },
  );

  test('an object that is newer than the log is said', async () => {
    const program = await compile(directory.path, 'newer', PROGRAM, '-g');
    const log = await traced(directory.path, 'newer', program, []);
    const report = await symbolize(findLeaks(await readMtrace(log)), { written: new Date(0) });
    expect(report.notes.join()).toContain('newer than the log');
  });

  describe('without binutils', () => {
    const path = process.env.PATH;
    beforeAll(() => void (process.env.PATH = '/nonexistent'));
    afterAll(() => void (process.env.PATH = path));

    test('functions are named all the same, and a note says what is missing', async () => {
      const log = `${directory.path}/newer.mt`;
      const report = await symbolize(findLeaks(await readMtrace(log)));
      expect(report.sites[1]).toMatchObject({ symbol: 'hidden' });
      expect(report.sites[1]).not.toHaveProperty('source');
      expect(report.notes.join()).toContain('binutils');
    });
  });
});

test('objects that are gone, pipes and such give a note, not an error', async () => {
  const lines = [
    '/nonexistent/x.so:[0x1234]',
    '/dev/null:[0x1234]',
    'no-such-program:[0x1234]',
    '/etc/passwd:[0x1234]',
  ];
  const text = lines.map((site, i) => `@ ${site} + 0x${i + 1}000 0x10\n`).join('');
  const report = await symbolize(findLeaks(await parseMtrace(Buffer.from(`= Start\n${text}`))));
  expect(report.sites.map(({ symbol }) => symbol)).toEqual(lines.map(() => undefined));
  for (const line of lines) expect(report.notes.join('\n')).toContain(line.split(':')[0]);
});

test.each([
  ['/a b/c:d.so:(_Znwm+1c)[0xA9]', { object: '/a b/c:d.so', symbol: '_Znwm', address: 0xa9 }],
  ['node:[0xff35b9]', { object: 'node', address: 0xff35b9 }],
  ['[0x7f0012345678]', { address: 0x7f0012345678 }],
  ['unknown caller', undefined],
])('the parts of %s', (site, place) => {
  expect(parseSite(site)).toEqual(place);
});

describe('the text', () => {
  const report = async (sites: number) => {
    const lines = Array.from(
      { length: sites },
      (_, i) => `@ /lib/a.so:[0x${i + 4096}] + 0x${i + 1}000 0x${i + 1}\n`,
    );
    return findLeaks(await parseMtrace(Buffer.from(`= Start\n- 0x5\n${lines.join('')}`)));
  };

  test.each([0, 1, 5, 300])('%i call sites fit a screen, and their sums are whole', async (sites) => {
    const text = renderLeaks(await report(sites), { columns: 80 });
    const lines = text.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    const blocks = [...text.matchAll(/% +(\d+) block/g)].reduce((sum, match) => sum + Number(match[1]), 0);
    expect(blocks).toBe(sites);
  });

  test('what Node itself left is told apart from what addons did', async () => {
    const sites = [
      'node:(_ZN4node5StartEv+1)[0x1111]',
      '/opt/nodejs/bin/node:[0x2222]',
      '/app/my.node:[0x3333]',
    ];
    const text = (own: string[]) => {
      const lines = own.map((site, i) => `@ ${site} + 0x${i + 1}000 0x400\n`);
      return parseMtrace(Buffer.from(`= Start\n${lines.join('')}`)).then((trace) =>
        renderLeaks(findLeaks(trace)),
      );
    };
    const shown = (await text(sites)).replace(/\s+/g, ' ');
    expect(shown).toContain("2 blocks with 2.0 KiB are of Node's own code");
    expect(shown).toContain('my.node 1 block, 1.0 KiB');
    expect(await text(sites.slice(2))).not.toContain('Node');
  });

  const textOf = async (log: string, options = {}) =>
    renderLeaks(findLeaks(await parseMtrace(Buffer.from(log))), options).replace(/\s+(! )?/g, ' ');

  test('what Buffers hold is told as such, apart from what Node itself left', async () => {
    const buffers = '@ node:(_ZN4node24NodeArrayBufferAllocator8AllocateEm+17)[0x7be507]';
    const shown = await textOf(`= Start\n${buffers} + 0x1000 0x200000\n@ node:[0x2222] + 0x400000 0x400\n`);
    expect(shown).toContain('2.0 MiB 100% 1 block ██████████ Buffers (NodeArrayBufferAllocator) ');
    expect(shown).toContain(
      '2.0 MiB Buffers (NodeArrayBufferAllocator): what JavaScript still held, 1 block ',
    );
    expect(shown).toContain("1 block with 1.0 KiB is of Node's own code");
  });

  test('cautions that do not fit a screen are left out whole', async () => {
    const whole = await report(300);
    const reasons = Array.from({ length: 9 }, (_, i) => `reason ${i} ${'and so on '.repeat(10)}end of ${i}`);
    const text = renderLeaks({ ...whole, reasons });
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(24);
    for (const [i] of reasons.entries())
      expect(text.includes(`reason ${i}`)).toBe(text.includes(`end of ${i}`));
    expect(text).toMatch(/\d more notes \(--verbose\)/);
  });

  test('where operator new is what leaked most, who tells more is named', async () => {
    const leak = (site: string) => textOf(`= Start\n@ ${site} + 0x1000 0x200\n`);
    expect(await leak('/lib/libstdc++.so.6:(_Znwm+1c)[0xa958c]')).toContain('heaptrack');
    expect(await leak('/lib/libstdc++.so.6:(other+1c)[0xa958c]')).not.toContain('heaptrack');
  });

  test('parameters give way before the name does', async () => {
    const whole = await report(1);
    const named = (symbol: string) =>
      renderLeaks({ ...whole, sites: whole.sites.map((site) => ({ ...site, symbol })) });
    expect(named('a::b(int)')).toContain('a::b(int) (a.so)');
    expect(named(`a::b(int (*)(char), ${'int, '.repeat(9)}int) const`)).toContain(' a::b (a.so)\n');
    expect(named(`a::operator()(${'int, '.repeat(9)}int)`)).toContain(' a::operator() (a.so)\n');
    expect(named('v8::internal::AlignedAllocWithRetry')).toContain(' v8::internal::AlignedAllocWithRetry\n');
  });

  test("frees of what the C library had before the trace are as usual, and other unknown frees aren't", async () => {
    const usual =
      '= Start\n@ /lib/libc.so.6:(clearenv+4d)[0x4157d] - 0x1000\n@ /lib/libc.so.6:[0x102b4d] - 0x2000\n';
    expect(await textOf(usual)).toMatch(/Everything was freed\. $/);
    expect(await textOf(usual, { verbose: true })).toContain('2 frees of blocks from before the trace began');
    expect(await textOf(`${usual}@ ./app:[0x102b4d] - 0x2000\n`)).toContain(
      '3 frees of addresses that the log does not know',
    );
  });

  test('with verbose each site is there, and the free of an unknown address as the script words it', async () => {
    const text = renderLeaks(await report(300), { verbose: true });
    expect(text).toContain("- 0x0000000000000005 Free 2 was never alloc'd");
    expect(text.match(/a\.so:\[0x/g)?.length).toBe(300);
  });
});
