import { expect, test } from 'vitest';
import * as numa from '../../lib/libnuma/index.js';
import { expectRangeError, expectTypeError } from '../helpers/errors.js';
import { absentNode, describeLibnuma, program } from './helpers.js';

const { numa_parse_bitmap, numa_parse_cpustring, numa_parse_cpustring_all, numa_parse_nodestring } = numa;

/** A program that warns of nothing: every text that does not parse is a warning. */
const QUIET = `process.removeAllListeners('warning');
  const parsers = ['nodestring', 'nodestring_all', 'cpustring', 'cpustring_all'].map((name) => numa['numa_parse_' + name]);`;

/** A program that collects warnings, and says each `say` after what has been warned of till then. */
const WARNED = `const warned = []; process.on('warning', (w) => warned.push(w.name + ': ' + w.message));
  const later = () => new Promise((done) => setTimeout(done, 20));`;

describeLibnuma('strings to masks', () => {
  test('numbers, ranges, all, all but, and relative ones', () => {
    const all = [...numa.numa_all_cpus_ptr];
    expect(String(numa_parse_nodestring('0'))).toBe('0');
    expect([...(numa_parse_cpustring('all') ?? [])]).toEqual(all);
    expect([...(numa_parse_cpustring(`${all[0]}-${all.at(-1)}`) ?? [])]).toEqual(all);
    expect([...(numa_parse_cpustring('+0') ?? [])]).toEqual([all[0]]);
    expect([...(numa_parse_cpustring_all('!0') ?? [])]).not.toContain(0);
    expect([...(numa.numa_parse_nodestring_all('all') ?? [])]).toContain(0);
    expect([...(numa_parse_nodestring('') ?? [1])]).toEqual([]);
  });

  test('what does not parse is null, and the warning says why', async () => {
    const [results, warnings] = await program(`${WARNED}
      const bad = ['x', '0,', '0-', '${absentNode()}', '0-${absentNode()}', '-1', '0x', '0 1', '99999999999999999999'];
      say(bad.map((text) => numa.numa_parse_nodestring(text)));
      later().then(() => say(warned));`);
    expect(results).toEqual(Array.from({ length: 9 }, () => null));
    expect(warnings).toHaveLength(9);
    for (const warning of Object(warnings))
      expect(warning).toMatch(/^LibnumaWarning: .*(does not parse|node|argument)/);
  });

  test('a number beyond 32 bits, which makes libnuma count for hours, does not parse', async () => {
    expect(
      await program(`${QUIET} for (const text of ['0-4294967296', '0--18446744069414584320', '0-18446744069414584320', '0-0x100000000'])
        say(parsers.map((parse) => parse(text)));`),
    ).toEqual(Array.from({ length: 4 }, () => [null, null, null, null]));
  });

  test('any text is survived', async () => {
    expect(
      await program(`${QUIET}
        const words = ['file:/', 'netdev:lo', 'block:../x', 'pci:0:0', '0', '-', '0-', ',', '!', '+', 'all', '1e9', ' ', 'é', '9'.repeat(40), 'x'.repeat(3000)];
        for (const a of words) for (const b of words) for (const parse of parsers) parse(a + b);
        say('lived');`),
    ).toEqual(['lived']);
  });

  test('numa_parse_bitmap reads a cpumap, and leaves the string alone', () => {
    const line = '00000001,80000003\n';
    expect([...(numa_parse_bitmap(line) ?? [])]).toEqual([0, 1, 31, 32]);
    expect(line).toBe('00000001,80000003\n');
    expect(String(numa_parse_bitmap('f'))).toBe('0-3');
    expect(String(numa_parse_bitmap('1,00000000,00000000'))).toBe('64');
    expect(numa_parse_bitmap('0')?.size).toBe(numa.numa_num_possible_cpus());
  });

  test('what is no bitmap, or too long, is null', async () => {
    expect(
      await program(`${QUIET}
        const long = Array(numa.numa_num_possible_cpus() / 32 + 2).fill('00000000').join(',');
        const bad = ['', '\\n', 'x', '1,2', '123456789', '1,', ',00000001', '0\\n0', long];
        say(bad.filter((line) => numa.numa_parse_bitmap(line) !== null));`),
    ).toEqual([[]]);
  });

  test('what is no string names the parameter', () => {
    expectTypeError('text', () => Reflect.apply(numa_parse_nodestring, undefined, [0]));
    expectTypeError('line', () => Reflect.apply(numa_parse_bitmap, undefined, [null]));
    expectRangeError('text', () => numa_parse_cpustring('0\0'));
  });
});
