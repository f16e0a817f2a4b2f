import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  MAP_ANONYMOUS,
  MAP_SHARED,
  mmap,
  munmap,
  NULL,
  PROT_READ,
  PROT_WRITE,
  view,
} from '../../lib/libc/index.js';
import { native } from '../../lib/native.js';
import { codeOf } from '../../lib/procfs/errors.js';
import { parseMapping, unescapePath } from '../../lib/procfs/maps.js';
import { parseSmaps, readSmaps, Smaps } from '../../lib/procfs/smaps.js';
import { parseSmapsRollup, readSmapsRollup } from '../../lib/procfs/smaps_rollup.js';
import { bytesOf, FIXTURES, fixture, SMAPS_FIXTURES, spawnWithMappings, stop } from './support.js';

/** Inside a container pid 2 may be anybody, or nobody. */
function isKernelThread(pid: number): boolean {
  try {
    return /^Kthread:\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const directory = mkdtempSync(`${tmpdir()}/memprobe-smaps-`);
afterAll(() => rmSync(directory, { recursive: true }));

/** What the native reader makes of a file: its rows, or the number of the line that it refuses. */
async function nativeResult(file: string) {
  const columns = await native.promises.read_smaps(file);
  if (columns.badLine > 0) return columns.badLine;
  return [...new Smaps({ ...columns, paths: columns.paths.map(unescapePath) })];
}

function parsedResult(bytes: Uint8Array) {
  try {
    return [...parseSmaps(bytes)];
  } catch (error) {
    if (error instanceof Error && 'line' in error) return error.line;
    throw error;
  }
}

describe('the native reader and the parser', () => {
  it.each(SMAPS_FIXTURES)('see the same in %s', async (path) => {
    expect(await nativeResult(`${FIXTURES}/${path}`)).toEqual(parsedResult(fixture(path)));
  });

  it('see the same in a large file of a real process', async () => {
    const child = await spawnWithMappings(2000);
    try {
      // Kept: the proportional sizes change from one read to the next, as other processes come and go.
      const text = readFileSync(`/proc/${child.pid}/smaps`);
      writeFileSync(`${directory}/real`, text);
      const seen = await nativeResult(`${directory}/real`);
      expect(seen).toHaveProperty(
        'length',
        expect.toSatisfy((length: number) => length > 2000),
      );
      expect(seen).toEqual(parsedResult(text));
    } finally {
      await stop(child);
    }
  });

  it('accept and refuse the same, whatever is done to a file', async () => {
    const whole = Buffer.from(fixture('unknown-fields/1/smaps')).toString('latin1');
    const edit = fc.record({
      at: fc.nat(whole.length),
      drop: fc.nat(40),
      put: fc.string({ unit: fc.constantFrom(...'0af9: -\nkB\t\\x'), maxLength: 12 }),
    });
    const file = `${directory}/edited`;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 3 }), async (edits) => {
        let text = whole;
        for (const { at, drop, put } of edits) text = text.slice(0, at) + put + text.slice(at + drop);
        writeFileSync(file, text);
        expect(await nativeResult(file)).toEqual(parsedResult(bytesOf(text)));
      }),
      { numRuns: 300 },
    );
  });

  it('see the same where lines lie across the pieces that the native reader reads', async () => {
    const block = Buffer.from(fixture('linux-5.4/1/smaps')).toString();
    for (const shift of [0, 1, 40, 2000]) {
      const text = `1000-2000 rw-p 0 00:00 1 /${'x'.repeat(shift)}\n${block.repeat(400)}Rss: 4 kB`;
      writeFileSync(`${directory}/large`, text);
      expect(await nativeResult(`${directory}/large`)).toEqual(parsedResult(bytesOf(text)));
    }
  });
});

describe('a Smaps', () => {
  const smaps = parseSmaps(fixture('linux-6.18/100/smaps'));

  it('has sizes in bytes, by column, by sum and by row', () => {
    const thp = smaps.at([...smaps].findIndex((row) => (row.anonHugePages ?? 0) > 0));
    expect(thp).toMatchObject({ size: 6 << 20, rss: 6 << 20, anonHugePages: 6 << 20, thpEligible: 1 });
    expect(thp?.vmFlags).toContain('hg');
    expect(smaps.total('Rss')).toBe(smaps.column('Rss')?.reduce((sum, bytes) => sum + bytes));
    expect(smaps.total('AnonHugePages')).toBe(6 << 20);
    expect(smaps.total('Private_Hugetlb')).toBe(2 << 20);
    expect(smaps.total('Locked')).toBe(16384);
  });

  it('finds the mapping that an address lies in', () => {
    for (const [index, row] of [...smaps].entries()) {
      expect(smaps.indexOf(row.start)).toBe(index);
      expect(smaps.indexOf(row.end - 1n)).toBe(index);
      if (smaps.at(index + 1)?.start !== row.end) expect(smaps.indexOf(row.end)).toBe(-1);
    }
    expect(smaps.indexOf(0n)).toBe(-1);
    expect(smaps.indexOf(2n ** 64n - 1n)).toBe(-1);
  });

  it('counts from the end for negative indexes and has nothing outside', () => {
    expect(smaps.at(-1)?.path).toBe('[vsyscall]');
    expect(smaps.at(smaps.length)).toBeUndefined();
    expect(smaps.at(-smaps.length - 1)).toBeUndefined();
  });

  it('describes each mapping as maps does', () => {
    const lines = Buffer.from(fixture('linux-6.18/100/maps')).toString().trimEnd().split('\n');
    expect(smaps.length).toBe(lines.length);
    for (const [index, line] of lines.entries())
      expect(smaps.at(index)).toMatchObject(parseMapping(`${line}`) ?? {});
  });

  it('adds up to what smaps_rollup says', () => {
    const rollup = parseSmapsRollup(fixture('linux-6.18/100/smaps_rollup'));
    expect(rollup).toMatchObject({
      path: '[rollup]',
      rss: smaps.total('Rss'),
      privateDirty: smaps.total('Private_Dirty'),
      anonymous: smaps.total('Anonymous'),
    });
    expect(rollup.pssAnon).toBeGreaterThan(0);
    expect(rollup.size).toBeUndefined();
  });
});

describe('parseSmaps', () => {
  it('keeps unknown fields under their kernel name: kB as bytes, counts and text as they are', () => {
    const smaps = parseSmaps(fixture('unknown-fields/1/smaps'));
    expect(smaps.at(0)).toMatchObject({ Compressed_Pages: 12, Tier: 'far memory', HotPages: 4096 });
    expect(smaps.at(0)).toMatchObject({
      dev: '103:1f2e3',
      inode: 2n ** 64n - 1n,
      vmFlags: ['rd', 'wr', 'sh', 'zz'],
    });
    expect(smaps.column('Compressed_Pages')).toEqual(new Float64Array([12, 3]));
    expect(smaps.fields).toEqual(expect.arrayContaining(['Rss', 'HotPages', 'Tier', 'VmFlags']));
  });

  it('leaves out what a mapping or a kernel does not have', () => {
    const smaps = parseSmaps(fixture('unknown-fields/1/smaps'));
    expect(smaps.at(1)).not.toHaveProperty('rss');
    expect(smaps.at(1)).not.toHaveProperty('vmFlags');
    expect(smaps.column('Rss')).toEqual(new Float64Array([4096, Number.NaN]));
    expect(smaps.total('Rss')).toBe(4096);
    expect(smaps.column('NoSuchField')).toBeUndefined();
    expect(smaps.total('NoSuchField')).toBe(0);
  });

  it.each([
    [
      'linux-4.4',
      { path: '[stack:7]', swapPss: 12288 },
      ['thpEligible', 'protectionKey', 'pssDirty', 'lazyFree'],
    ],
    [
      'linux-4.14',
      { Name: '[anon:libc_malloc]', lazyFree: 8192, protectionKey: 0 },
      ['thpEligible', 'filePmdMapped'],
    ],
    ['linux-5.4', { thpEligible: 1, filePmdMapped: 0 }, ['pssDirty', 'ksm']],
    ['linux-6.1', { path: '[anon:worker arena]', pssDirty: 2052 * 1024 }, ['ksm']],
  ])('reads the fields of %s, and has no others', (release, present, absent) => {
    const row = parseSmaps(fixture(`${release}/1/smaps`)).at(1);
    expect(row).toMatchObject({ rss: 2052 * 1024, anonHugePages: 2 << 20, kernelPageSize: 4096, ...present });
    for (const name of absent) expect(row).not.toHaveProperty(name);
  });

  it.each([
    ['Rss: 4 kB\n', 1],
    ['1000-2000 rw-p 0 00:00 0\nRss 4 kB\n', 2],
    ['1000-2000 rw-p 0 00:00 0\nRss: 4 kB\n\n', 3],
    ['1000-2000 rw-p 0 00:00 0\nRss: 4 kB\n3000-4000 what\n', 3],
  ])('refuses %j and names line %d', (text, line) => {
    expect(() => parseSmaps(bytesOf(text))).toThrow(
      expect.objectContaining({ code: 'ERR_MEMPROBE_PARSE', line }),
    );
  });
});

describe('readSmaps', () => {
  it('sees memory that this process touches', async () => {
    // A mapping of its own (the kernel merges private neighbours), not the sum: other pages may go back meanwhile.
    const length = 64 << 20;
    const address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const rssHere = async () => {
      const smaps = await readSmaps();
      return smaps.at(smaps.indexOf(address))?.rss ?? Number.NaN;
    };
    const before = await rssHere();
    new Uint8Array(view(address, length)).fill(1);
    expect((await rssHere()) - before).toBe(length);
    munmap(address, length);
  });

  it('gives the same columns whether they lie in lent or in copied memory', async () => {
    const child = await spawnWithMappings(20_000);
    try {
      // The child may still be on its way into its last read: compared is what was so before and after.
      const rssNow = async () => (await readSmapsRollup({ pid: child.pid })).rss;
      let before = await rssNow();
      let smaps = await readSmaps({ pid: child.pid });
      for (let after = await rssNow(); after !== before; after = await rssNow()) {
        before = after;
        smaps = await readSmaps({ pid: child.pid });
      }
      expect(smaps.length).toBeGreaterThan(20_000);
      expect(smaps.total('Rss')).toBe(before);
    } finally {
      await stop(child);
    }
  });

  it.skipIf(!isKernelThread(2))('is empty for a kernel thread', async () => {
    expect((await readSmaps({ pid: 2 })).length).toBe(0);
  });

  it('says ESRCH when the process exits half-way, instead of giving half of the mappings', async () => {
    const outcomes = new Set<unknown>();
    for (let round = 0; round < 20 && !outcomes.has('ESRCH'); round++) {
      const child = await spawnWithMappings(20_000);
      const seen = readSmaps({ pid: child.pid }).then(
        (smaps) => (smaps.length > 20_000 ? 'whole' : smaps.length),
        codeOf,
      );
      await sleep(round % 10);
      await stop(child);
      outcomes.add(await seen);
    }
    // Killed before the file was opened, it is a zombie without mappings.
    for (const outcome of outcomes) expect(['ESRCH', 'whole', 0]).toContain(outcome);
    expect(outcomes).toContain('ESRCH');
  });
});
