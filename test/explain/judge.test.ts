import { describe, expect, test } from 'vitest';
import { attribute, CATEGORIES, type CategoryId, type Snapshot } from '../../lib/explain/index.js';
import { judge } from '../../lib/explain/judge.js';
import { RULES } from '../../lib/explain/rules.js';
import { readCaptured } from './captured.js';

const snapshot = readCaptured('demo-node20');
const GiB = 2 ** 30;

/** A process in which one category has `bytes` of `rss`, and program code the rest. */
function judgeWith(id: CategoryId, bytes: number, rss: number, facts: Snapshot = snapshot) {
  const size = (category: CategoryId) =>
    category === id ? bytes : category === 'binary.text' ? rss - bytes : 0;
  const categories = CATEGORIES.map(([category, label]) => ({
    id: category,
    label,
    bytes: size(category),
    source: '',
  }));
  return judge({ snapshot: facts, categories, rss });
}

describe.each(RULES)('$id', (rule) => {
  test('applies from its share on, with evidence and something to do', () => {
    const { verdict, remedies } = judgeWith(rule.category, Math.ceil(rule.share * 4 * GiB), 4 * GiB);
    expect(verdict.id).toBe(rule.id);
    expect(verdict.summary).toContain('4.0 GiB resident');
    expect(remedies.length).toBeGreaterThan(0);
  });

  test('does not apply below its share or below its floor', () => {
    expect(judgeWith(rule.category, Math.floor(rule.share * 4 * GiB) - 1, 4 * GiB).verdict.id).toBe(
      'healthy',
    );
    expect(judgeWith(rule.category, rule.floor - 1, rule.floor).verdict.id).toBe('healthy');
  });
});

test('the demo workload is told to have memory that glibc keeps, with the estimate of malloc_trim', () => {
  const { verdict, remedies } = attribute(snapshot);
  expect(verdict.id).toBe('malloc-retained');
  const arenas = snapshot.heap?.arenas ?? [];
  const estimate = arenas.reduce((total, { free, top }) => total + free.trimmable + top.trimmable, 0);
  expect(remedies.find(({ id }) => id === 'malloc-trim')?.estimate).toBe(estimate);
});

test('after a trim the remedy says what was measured instead', () => {
  const trim = {
    before: 400 * 2 ** 20,
    after: 250 * 2 ** 20,
    milliseconds: 31.4,
  };
  const remedy = attribute({ ...snapshot, trim }).remedies.find(({ id }) => id === 'malloc-trim');
  expect(remedy?.text).toContain('gave back 150 MiB in 31 ms');
  expect(remedy?.estimate).toBeUndefined();
});

test('of two categories out of proportion the bigger makes the verdict, and both have remedies', () => {
  const explanation = attribute(snapshot);
  const categories = explanation.categories.map((category) =>
    category.id === 'v8.heap'
      ? { ...category, bytes: 2 * GiB }
      : category.id === 'malloc.retained'
        ? { ...category, bytes: GiB }
        : category,
  );
  const { verdict, remedies } = judge({ snapshot, categories, rss: 3.2 * GiB });
  expect(verdict.id).toBe('v8-heap');
  expect(remedies.map(({ id }) => id)).toEqual(expect.arrayContaining(['heap-snapshot', 'malloc-trim']));
});

test('an idle Python process is healthy', () => {
  expect(attribute(readCaptured('python3')).verdict.id).toBe('healthy');
});

test('big blocks that are in use are named by their size', () => {
  const { verdict } = judgeWith('malloc.live', 2 * GiB, 3 * GiB);
  const biggest = [...(snapshot.heap?.sizes ?? [])].sort((a, b) => b.bytes - a.bytes)[0];
  expect(verdict.evidence.join('\n')).toContain(`${biggest?.chunks.toLocaleString('en-US')} live blocks of `);
});

test('who holds Buffers can be seen in the process as it runs', () => {
  const [find] = judgeWith('buffers', 2 * GiB, 3 * GiB).remedies;
  expect(find?.command).toMatch(/^node inspect -p \d+$/);
});

test('from outside, Buffers may hide in malloc: attaching is the first remedy', () => {
  const { remedies } = judgeWith('malloc.live', 2 * GiB, 3 * GiB, readCaptured('outside-node26'));
  expect(remedies[0]?.command).toContain('--attach');
});

test('live Buffers show up in a trace only where Node does not end by itself: that is said', () => {
  const { remedies } = judgeWith('malloc.live', 2 * GiB, 3 * GiB);
  expect(remedies.find(({ id }) => id === 'leaks')?.text).toContain('End it with Ctrl-C');
});

test('a program that is not Node is given no advice for Node', () => {
  const native: Snapshot = { ...snapshot, v8: false, way: 'outside', isolates: [] };
  for (const id of ['malloc.retained', 'malloc.live', 'stacks', 'unexplained'] as const) {
    const { verdict, remedies } = judgeWith(id, 2 * GiB, 3 * GiB, native);
    const text = JSON.stringify([verdict, remedies]);
    expect(text).not.toMatch(/node app|--attach|Buffers|worker|UV_|JavaScript/i);
  }
  const [trim] = judgeWith('malloc.retained', GiB, 3 * GiB, native).remedies;
  expect(trim?.command).toContain('malloc_trim(0)');
});

test('blocks in use of less than 5% of all prove nothing, and are left out', () => {
  const sizes = [
    { from: 16, to: 16, chunks: 10, bytes: 96 },
    { from: 32, to: 32, chunks: 1, bytes: 4 },
  ];
  const { heap } = snapshot;
  if (!heap) throw new Error('the captured process has a heap');
  const total = { ...heap.mmapped.total, chunks: 0, bytes: 0 };
  const { verdict } = judgeWith('malloc.live', 2 * GiB, 3 * GiB, {
    ...snapshot,
    v8: false,
    heap: { ...heap, sizes, mmapped: { ...heap.mmapped, total } },
  });
  expect(verdict.evidence.filter((line) => line.includes('live block'))).toEqual([
    '10 live blocks of 16 bytes (96 B in all)',
  ]);
});

/** glibc keeps `free` bytes in the main arena and `others` in each of two more. */
function keeping(free: number, others: number): Snapshot {
  const { heap } = snapshot;
  const [main] = heap?.arenas ?? [];
  if (!heap || !main) throw new Error('the captured process has a main arena');
  const arena = (bytes: number, own: boolean) => ({
    ...main,
    main: own,
    free: { ...main.free, resident: bytes, trimmable: bytes },
    top: { ...main.top, resident: 0, trimmable: 0 },
  });
  return {
    ...snapshot,
    heap: { ...heap, arenas: [arena(free, true), arena(others, false), arena(others, false)] },
  };
}

describe('what helps against memory that glibc keeps', () => {
  const idsFor = (facts: Snapshot) =>
    judgeWith('malloc.retained', 1.2 * GiB, 1.9 * GiB, facts).remedies.map(({ id }) => id);

  test('fewer arenas are no remedy where these hold 1% of it', () => {
    expect(idsFor(keeping(1.19 * GiB, 6 * 2 ** 20))).toEqual(['malloc-trim', 'other-allocator']);
  });

  test('what wins more comes first', () => {
    const facts = keeping(GiB / 10, 0.5 * GiB);
    expect(idsFor(facts)).toEqual(['malloc-trim', 'other-allocator', 'fewer-arenas']);
    const [, thread, last] = facts.heap?.arenas ?? [];
    if (!thread || !last) throw new Error('there are three arenas');
    thread.top.resident = last.top.resident = GiB / 4;
    expect(idsFor(facts)).toEqual(['malloc-trim', 'fewer-arenas', 'other-allocator']);
  });

  test('malloc_trim is none where next to nothing of it are whole pages', () => {
    expect(idsFor(keeping(2 ** 20, 0))).toEqual(['other-allocator']);
  });
});

test.each([
  ['malloc.live', 94, 95, 'Small: 95.0 MiB resident, most of it malloc in use (99%).'],
  ['memprobe', 270, 320, '320 MiB resident, most of it mapped through memprobe (84%); nothing says'],
] as const)('healthy though most of it is %s: that is said in words', (id, bytes, rss, summary) => {
  const { verdict } = judgeWith(id, bytes * 2 ** 20, rss * 2 ** 20);
  expect(verdict.id).toBe('healthy');
  expect(verdict.summary).toContain(summary);
  expect(verdict.summary).not.toContain('out of proportion');
});

test('nothing is out of proportion where no category is half of it', () => {
  expect(attribute(readCaptured('python3')).verdict.summary).toContain('nothing in it is out of proportion');
});

describe('live Buffers and objects', () => {
  const [main] = snapshot.isolates;
  if (!main) throw new Error('the captured process has an isolate');
  const worker = { ...main, threadId: 1, name: 'Worker 1', arrayBuffers: 200 * 2 ** 20 };
  const find = (facts: Snapshot) =>
    judgeWith('buffers', 2 * GiB, 3 * GiB, facts).remedies.find(({ id }) => id === 'find-buffers');

  test("where a worker holds them, its own snapshot is advised, which Node's debugger cannot make", () => {
    const remedy = find({ ...snapshot, isolates: [main, worker] });
    expect(remedy?.text).toContain('in Worker 1: its worker.getHeapSnapshot()');
    expect(remedy?.command).toBeUndefined();
  });

  test("Node's debugger sees the main thread, and leaves the inspector open: both is said", () => {
    const inspect = judgeWith('v8.heap', 2 * GiB, 3 * GiB).remedies.find(({ id }) => id === 'inspect-heap');
    for (const remedy of [find({ ...snapshot, isolates: [main] }), inspect]) {
      expect(remedy?.command).toBe(`node inspect -p ${snapshot.pid}`);
      expect(remedy?.text).toMatch(/main thread .* alone .* worker\.getHeapSnapshot\(\)/);
      expect(remedy?.text).toContain('stays open on 9229');
    }
  });
});

test('what holds most comes first, be it blocks in mappings of their own', () => {
  const { heap } = snapshot;
  if (!heap) throw new Error('the captured process has a heap');
  const total = { ...heap.mmapped.total, chunks: 301, bytes: 8 * GiB };
  const big: Snapshot = { ...snapshot, heap: { ...heap, mmapped: { ...heap.mmapped, total } } };
  const { verdict } = judgeWith('malloc.live', 9 * GiB, 10 * GiB, big);
  expect(verdict.evidence[0]).toBe(
    '301 live blocks in mappings of their own (8.0 GiB in all, Buffers included)',
  );
});
