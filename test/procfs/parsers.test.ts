import fc from 'fast-check';
import { describe, it } from 'vitest';
import { ProcParseError } from '../../lib/procfs/errors.js';
import * as procfs from '../../lib/procfs/index.js';
import { bytesOf, fixture } from './support.js';

const parsers: [string, (bytes: Uint8Array) => unknown, string][] = [
  ['parseMaps', procfs.parseMaps, 'linux-6.18/100/maps'],
  ['parseSmaps', (bytes) => [...procfs.parseSmaps(bytes)], 'linux-6.18/100/smaps'],
  ['parseSmapsRollup', procfs.parseSmapsRollup, 'linux-6.18/100/smaps_rollup'],
  ['parseStatm', (bytes) => procfs.parseStatm(bytes, 4096), 'linux-6.18/100/statm'],
  ['parseStatus', procfs.parseStatus, 'linux-6.18/100/status'],
  ['parseNumaMaps', procfs.parseNumaMaps, 'linux-6.18/100/numa_maps'],
  ['parseMeminfo', procfs.parseMeminfo, 'linux-6.18/meminfo'],
  ['parseVmstat', procfs.parseVmstat, 'linux-6.18/vmstat'],
  ['parsePressure', procfs.parsePressure, 'linux-6.18/pressure/memory'],
  ['parseTaskSyscall', procfs.parseTaskSyscall, 'linux-6.18/100/task/101/syscall'],
  ['parseTaskStat', procfs.parseTaskStat, 'linux-6.18/100/task/101/stat'],
];

function throwsOnlyItsOwnError(parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void {
  try {
    parse(bytes);
  } catch (error) {
    if (!(error instanceof ProcParseError)) throw error;
  }
}

describe.each(parsers)('%s', (_, parse, sample) => {
  const lines = Buffer.from(fixture(sample)).toString('latin1').split('\n').slice(0, 60);

  it('accepts what a kernel wrote', () => {
    parse(fixture(sample));
  });

  it('throws nothing but its own error on random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => throwsOnlyItsOwnError(parse, bytes)));
  });

  it('throws nothing but its own error on real lines, cut, joined and mixed with others', () => {
    const piece = fc.oneof(
      fc.constantFrom(...lines),
      fc.constantFrom(...lines).map((line) => line.slice(line.length >> 1)),
      fc.constantFrom('__proto__: 1 kB', 'constructor: x', 'toString 3', ':', ' ', '\0', '\\012'),
      fc.string({ maxLength: 12 }),
    );
    const text = fc
      .array(fc.tuple(piece, fc.constantFrom('\n', '\n', '', ' ', '\r\n')))
      .map((pairs) => pairs.flat().join(''));
    fc.assert(fc.property(text, (mixed) => throwsOnlyItsOwnError(parse, bytesOf(mixed))));
  });
});
