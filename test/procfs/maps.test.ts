import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProcParseError } from '../../lib/procfs/errors.js';
import { type Mapping, parseMaps, readMaps } from '../../lib/procfs/maps.js';
import { bytesOf, FIXTURES, fixture } from './support.js';

const odd = parseMaps(fixture('linux-6.18/100/maps'));

function paths(prefix: string): string[] {
  return odd.map(({ path }) => path).filter((path) => path.startsWith(prefix));
}

/** As the kernel prints it: the path begins in column 74. */
function lineOf({ start, end, perms, offset, dev, inode, path }: Mapping): string {
  const hex = (value: bigint) => value.toString(16).padStart(8, '0');
  const head = `${hex(start)}-${hex(end)} ${perms} ${hex(offset)} ${dev} ${inode} `;
  return path === '' ? head : head.padEnd(73) + path.replaceAll('\n', '\\012');
}

describe('parseMaps', () => {
  it('keeps spaces, tabs, backslashes and UTF-8 in paths, and undoes the escape of a newline', () => {
    expect(paths('/tmp/')).toEqual([
      '/tmp/memprobe fixture/grüße',
      '/tmp/memprobe fixture/k=v\ttab',
      '/tmp/memprobe fixture/gone (deleted)',
      '/tmp/memprobe fixture/back\\slash',
      '/tmp/memprobe fixture/new\nline',
      '/tmp/memprobe fixture/two  spaces',
    ]);
  });

  it('marks what the kernel says is deleted, and nothing else', () => {
    const deleted = odd.filter((mapping) => mapping.deleted).map(({ path }) => path);
    expect(deleted).toEqual([
      '/anon_hugepage (deleted)',
      '/SYSV00000000 (deleted)',
      '/dev/zero (deleted)',
      '/memfd:a name (deleted)',
      '/tmp/memprobe fixture/gone (deleted)',
    ]);
  });

  it('reads [vsyscall] at the top of the address space exactly', () => {
    expect(odd.at(-1)).toEqual({
      start: 0xffffffffff600000n,
      end: 0xffffffffff601000n,
      perms: '--xp',
      offset: 0n,
      dev: '00:00',
      inode: 0n,
      path: '[vsyscall]',
      deleted: false,
    });
  });

  it('gives every field of every line back: mapping to text is the captured text', () => {
    const text = `${odd.map(lineOf).join('\n')}\n`;
    expect(text).toBe(Buffer.from(fixture('linux-6.18/100/maps')).toString());
  });

  it('gives back any mapping that is written as the kernel writes it', () => {
    const address = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const path = fc
      .string({ unit: fc.constantFrom(...'/ab \n\\[]:é(1') })
      .filter((text) => !text.startsWith(' ') && !text.includes('\\01'));
    const mapping = fc.record({
      start: address,
      end: address,
      perms: fc.constantFrom('rw-p', 'r-xs', '---p'),
      offset: address,
      dev: fc.constantFrom('00:00', 'fe:01', '103:1f2e3'),
      inode: address,
      path,
      deleted: fc.constant(false),
    });
    fc.assert(
      fc.property(fc.array(mapping), (mappings) => {
        expect(parseMaps(bytesOf(mappings.map(lineOf).join('\n')))).toEqual(mappings);
      }),
    );
  });

  it.each([
    ['', []],
    ['\n', { line: 1, text: '' }],
    ['1000-2000 rw-p 0 00:00 0\nnonsense\n', { line: 2, text: 'nonsense' }],
    ['1000-2000 rwzp 0 00:00 0', { line: 1 }],
    ['1000-2000 rw-p 0 00:00 0x', { line: 1 }],
    ['1000-20000000000000000 rw-p 0 00:00 0', { line: 1 }],
    ['1000-2000 rw-p 0 00:00 18446744073709551616', { line: 1 }],
  ])('takes %j as %j', (text, expected) => {
    if (Array.isArray(expected)) return expect(parseMaps(bytesOf(text))).toEqual(expected);
    expect(() => parseMaps(bytesOf(text), '/proc/7/maps')).toThrow(
      expect.objectContaining({ code: 'ERR_MEMPROBE_PARSE', file: '/proc/7/maps', ...expected }),
    );
  });

  it('says in a malformed line error where it is, what is there and what was expected', () => {
    const parse = () => parseMaps(bytesOf('junk'), '/proc/7/maps');
    expect(parse).toThrow(ProcParseError);
    expect(parse).toThrow(/\/proc\/7\/maps, line 1: expected 'start-end .*found "junk"/);
  });
});

describe('readMaps', () => {
  it('lists the mappings of this process: the same that /proc/self/maps shows', async () => {
    const node = (await readMaps()).find(({ path }) => path === process.execPath);
    const line = readFileSync('/proc/self/maps', 'utf8')
      .split('\n')
      .find((text) => text.endsWith(process.execPath));
    expect(node && lineOf(node)).toBe(line);
  });

  it('gives no mappings of a kernel thread and of a zombie', async () => {
    const root = `${FIXTURES}/linux-6.18`;
    expect(await readMaps({ root, pid: 2 })).toEqual([]);
    expect(await readMaps({ root, pid: 101 })).toEqual([]);
  });
});
