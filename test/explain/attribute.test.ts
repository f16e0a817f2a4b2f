import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attribute, CATEGORIES, type Snapshot } from '../../lib/explain/index.js';
import { parseSmaps } from '../../lib/procfs/index.js';
import { CAPTURED, readCaptured } from './captured.js';
import { bytesOf, sum } from './processes.js';

const MiB = 2 ** 20;

describe.each(CAPTURED)('captured %s', (name) => {
  const snapshot = readCaptured(name);
  const explanation = attribute(snapshot);

  test('the categories add up to the Rss of smaps exactly', () => {
    expect(explanation.rss).toBe(snapshot.smaps.total('Rss'));
    expect(explanation.rss).toBeGreaterThan(MiB);
    expect(sum(explanation)).toBe(explanation.rss);
  });

  test('every category is there once, with whole bytes and none negative', () => {
    expect(explanation.categories.map(({ id }) => id)).toEqual(CATEGORIES.map(([id]) => id));
    for (const { bytes } of explanation.categories) expect(Number.isInteger(bytes) && bytes >= 0).toBe(true);
  });

  test('the parts of a category add up to it, biggest first', () => {
    for (const { id, bytes, parts = [] } of explanation.categories) {
      expect([id, parts.reduce((total, part) => total + part.bytes, 0)]).toEqual([id, bytes]);
      expect(parts.map((part) => part.bytes)).toEqual(parts.map((part) => part.bytes).sort((a, b) => b - a));
    }
  });

  test('is data: through JSON nothing gets lost', () => {
    expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
  });
});

describe('Node processes', () => {
  test.each(CAPTURED.filter((name) => name !== 'python3'))('at most 2%% of %s is unexplained', (name) => {
    const explanation = attribute(readCaptured(name));
    expect(bytesOf(explanation, 'unexplained') / explanation.rss).toBeLessThan(0.02);
  });

  test('WebAssembly memories are buffers: three of 7 MiB together', () => {
    const buffers = attribute(readCaptured('outside-node26')).categories.find(({ id }) => id === 'buffers');
    const wasm = buffers?.parts?.find(({ label }) => label.startsWith('WebAssembly'))?.bytes ?? 0;
    expect(wasm / MiB).toBeGreaterThanOrEqual(7);
    expect(wasm / MiB).toBeLessThan(7.5);
  });

  test("V8's heap is divided by the spaces of all isolates where these were asked", () => {
    const snapshot = readCaptured('workers-node24');
    const heap = attribute(snapshot).categories.find(({ id }) => id === 'v8.heap');
    expect(snapshot.isolates.length).toBeGreaterThan(5);
    const told = snapshot.isolates.flatMap(({ spaces }) => spaces).filter(({ name }) => name === 'old_space');
    const physical = told.reduce((total, space) => total + space.physical, 0);
    expect(heap?.parts?.find(({ label }) => label === 'old_space')?.bytes).toBe(physical);
  });

  test('backing stores leave malloc.live: what is not asked from inside stays there', () => {
    const snapshot = readCaptured('demo-node20');
    const asked = attribute(snapshot);
    const unasked = attribute({ ...snapshot, isolates: [] });
    const moved = bytesOf(unasked, 'malloc.live') - bytesOf(asked, 'malloc.live');
    expect(moved).toBe(bytesOf(asked, 'buffers') - bytesOf(unasked, 'buffers'));
    expect(moved / MiB).toBeGreaterThan(32);
  });

  test('without a walk of the heaps all of malloc is in use, and the source says why', () => {
    const { heap: _, ...rest } = readCaptured('demo-node20');
    const explanation = attribute(rest);
    expect(sum(explanation)).toBe(explanation.rss);
    expect(bytesOf(explanation, 'malloc.retained')).toBe(0);
    const live = explanation.categories.find(({ id }) => id === 'malloc.live');
    expect(live?.source).toContain('could not be told');
  });
});

test('what memprobe mapped itself is a category of its own', () => {
  const snapshot = readCaptured('demo-node20');
  const explanation = attribute(snapshot);
  const owned = snapshot.owned.reduce((total, { start, end }) => total + Number(end - start), 0);
  expect(owned).toBeGreaterThan(0);
  expect(bytesOf(explanation, 'memprobe')).toBe(owned);
});

test('Buffers are told by the isolate that holds them, where several do', () => {
  const snapshot = readCaptured('demo-node20');
  const [main] = snapshot.isolates;
  if (!main) throw new Error('the captured process has an isolate');
  const worker = { ...main, threadId: 1, name: 'Worker 1', arrayBuffers: 3 * main.arrayBuffers };
  const explanation = attribute({ ...snapshot, isolates: [main, worker] });
  const parts = explanation.categories.find(({ id }) => id === 'buffers')?.parts ?? [];
  const bytes = (name: string) =>
    parts.find(({ label }) => label === `${name}: backing stores`)?.bytes ?? NaN;
  expect(bytes('Worker 1') / bytes('main')).toBeCloseTo(3, 3);
  expect(sum(explanation)).toBe(explanation.rss);
});

/** A process that has mapped one file, beside some code, with figures in kB. */
function mappingFile(perms: string, sizes: { rss: number; anonymous?: number; dirty?: number }): Snapshot {
  const { rss, anonymous = 0, dirty = 0 } = sizes;
  const text = [
    `10000000-40000000 ${perms} 00000000 fe:00 12 /data/table.bin`,
    `Rss: ${rss} kB`,
    `Shared_Dirty: ${perms.endsWith('s') ? dirty : 0} kB`,
    `Private_Dirty: ${perms.endsWith('s') ? 0 : dirty} kB`,
    `Anonymous: ${anonymous} kB`,
    '50000000-50100000 r-xp 00000000 fe:00 13 /bin/program',
    'Rss: 1024 kB',
  ];
  const { heap: _, ...rest } = readCaptured('demo-node20');
  const smaps = parseSmaps(new TextEncoder().encode(text.map((line) => `${line}\n`).join('')));
  return { ...rest, smaps, v8: false, way: 'outside', isolates: [], owned: [], stacks: [], zeros: [] };
}

describe('mapped files', () => {
  const KIB = 300 * 1024;
  const explained = (perms: string, sizes: { anonymous?: number; dirty?: number }) => {
    const explanation = attribute(mappingFile(perms, { rss: KIB, ...sizes }));
    expect(sum(explanation)).toBe(explanation.rss);
    const files = explanation.categories.find(({ id }) => id === 'files');
    const ids = explanation.remedies.map(({ id }) => id);
    expect(JSON.stringify(explanation)).not.toContain('MADV_DONTNEED');
    return { ...explanation, files, ids };
  };

  test('clean pages are cache, and nothing to fear', () => {
    const { verdict, files, ids } = explained('r--p', {});
    expect(verdict.summary).toContain('300 MiB of it are clean pages, which the kernel can drop');
    expect(files?.pages).toEqual({ clean: 300 * MiB, dirty: 0, copied: 0 });
    expect(files?.parts).toEqual([{ label: '/data/table.bin', bytes: 300 * MiB }]);
    expect(ids).toEqual(['drop-file-pages']);
  });

  test('private copies are as real as malloc: never called cache, and never to be dropped', () => {
    const { verdict, files, ids } = explained('rw-p', { anonymous: KIB, dirty: KIB });
    expect(verdict.summary).toContain(
      '300 MiB of it are private copies of file pages, as real as malloc: only the program can give them up',
    );
    expect(verdict.summary).not.toContain('clean');
    expect(verdict.evidence).toEqual(['300 MiB (100%) /data/table.bin (private copies)']);
    expect(files?.pages).toEqual({ clean: 0, dirty: 0, copied: 300 * MiB });
    expect(ids).toEqual(['private-copies']);
  });

  test('pages written through a shared mapping are written back before they can go', () => {
    const { verdict, files, ids } = explained('rw-s', { dirty: KIB });
    expect(verdict.summary).toContain('300 MiB of it are pages that the kernel has to write to the file');
    expect(files?.pages).toEqual({ clean: 0, dirty: 300 * MiB, copied: 0 });
    expect(ids).toEqual(['write-back']);
  });

  test('of several kinds the biggest comes first, and each has its remedy', () => {
    const { verdict, files, ids } = explained('rw-p', { anonymous: KIB / 2, dirty: (KIB * 5) / 6 });
    expect(files?.pages).toEqual({ clean: 50 * MiB, dirty: 100 * MiB, copied: 150 * MiB });
    expect(verdict.summary).toMatch(/150 MiB .* private copies .*; 100 MiB .* write .*; 50\.0 MiB .* clean/);
    expect(ids).toEqual(['private-copies', 'write-back', 'drop-file-pages']);
    expect(files?.parts?.map(({ bytes }) => bytes / MiB)).toEqual([150, 100, 50]);
  });

  test('what memprobe mapped is told by file and kind, too', () => {
    const snapshot = mappingFile('rw-p', { rss: KIB, anonymous: KIB, dirty: KIB });
    const { verdict } = attribute({ ...snapshot, owned: [{ start: 0x10000000n, end: 0x40000000n }] });
    expect(verdict.id).toBe('healthy');
    expect(verdict.evidence[1]).toBe('of these 300 MiB /data/table.bin (private copies)');
  });
});

test('plain memory that the program mapped itself is called that', () => {
  const text = '10000000-40000000 rw-p 00000000 00:00 0\nRss: 409600 kB\nAnonymous: 409600 kB\n';
  const smaps = parseSmaps(new TextEncoder().encode(text));
  const { verdict } = attribute({
    ...readCaptured('python3'),
    smaps,
    stacks: [],
    zeros: [],
  });
  expect(verdict.id).toBe('unknown');
  expect(verdict.summary).toContain(
    'is anonymous memory that the program mapped itself (mmap), which nobody here',
  );
  expect(verdict.evidence).toEqual(['400 MiB (100%) anonymous memory (mmap) rw-p 10000000-40000000']);
});

test('zeros of huge pages are taken out of the mapping that holds them', () => {
  const snapshot = readCaptured('python3');
  const row = [...snapshot.smaps].find(({ path, rss = 0 }) => path === '' && rss > 512 * 1024);
  const zeros = [{ start: row?.start ?? 0n, end: row?.end ?? 0n, bytes: 256 * 1024 }];
  const explanation = attribute({ ...snapshot, zeros });
  expect(bytesOf(explanation, 'huge.waste')).toBe(256 * 1024);
  expect(sum(explanation)).toBe(explanation.rss);
});

test('whatever the map looks like, the sum stays exact', () => {
  const snapshot: Snapshot = readCaptured('demo-node20');
  const kinds = fc.constantFrom(
    '',
    '[heap]',
    '[stack]',
    '/usr/bin/node',
    '/lib/x.so',
    '/dev/shm/a',
    '[anon:x]',
    '/memfd:y',
  );
  const row = fc.record({
    pages: fc.integer({ min: 1, max: 2 ** 21 }),
    gap: fc.integer({ min: 0, max: 100 }),
    rss: fc.integer({ min: 0, max: 2 ** 20 }),
    perms: fc.constantFrom('rw-p', 'r--p', 'r-xp', '---p', 'rwxp', 'rw-s'),
    path: kinds,
  });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 60 }), fc.boolean(), (rows, withHeap) => {
      const { heap, ...rest } = snapshot;
      const smaps = parseSmaps(new TextEncoder().encode(smapsText(rows)));
      const explanation = attribute({
        ...rest,
        ...(withHeap && heap && { heap }),
        smaps,
      });
      expect(sum(explanation)).toBe(smaps.total('Rss'));
      for (const { bytes } of explanation.categories) expect(bytes).toBeGreaterThanOrEqual(0);
    }),
  );
});

interface FakeRow {
  pages: number;
  gap: number;
  rss: number;
  perms: string;
  path: string;
}

/** Text as the kernel writes it, mappings one after the other from 0x10000 on. */
function smapsText(rows: FakeRow[]): string {
  let at = 0x10000n;
  const lines = rows.flatMap(({ pages, gap, rss, perms, path }) => {
    const start = at + BigInt(gap) * 4096n;
    at = start + BigInt(pages) * 4096n;
    const head = `${start.toString(16)}-${at.toString(16)} ${perms} 00000000 00:00 0 ${path}`.trimEnd();
    return [head, `Rss: ${rss} kB`, `Pss: ${rss} kB`, `Anonymous: ${Math.floor(rss / 2)} kB`];
  });
  return lines.map((line) => `${line}\n`).join('');
}
