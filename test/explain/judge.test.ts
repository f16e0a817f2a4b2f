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

test('a program that is not Node is given no advice for Node', () => {
  const native: Snapshot = { ...snapshot, v8: false, way: 'outside', isolates: [] };
  for (const id of ['malloc.retained', 'malloc.live', 'stacks', 'unexplained'] as const) {
    const { verdict, remedies } = judgeWith(id, 2 * GiB, 3 * GiB, native);
    const text = JSON.stringify([verdict, remedies]);
    expect(text).not.toMatch(/node app|--attach|Buffers|worker|UV_/i);
  }
  const [trim] = judgeWith('malloc.retained', 2 * GiB, 3 * GiB, native).remedies;
  expect(trim?.command).toContain('malloc_trim(0)');
});

test('what holds most comes first, be it blocks in mappings of their own', () => {
  const { heap } = snapshot;
  if (!heap) throw new Error('the captured process has a heap');
  const total = { ...heap.mmapped.total, chunks: 301, bytes: 8 * GiB };
  const big: Snapshot = { ...snapshot, heap: { ...heap, mmapped: { ...heap.mmapped, total } } };
  const { verdict } = judgeWith('malloc.live', 9 * GiB, 10 * GiB, big);
  expect(verdict.evidence[0]).toBe('301 live blocks in mappings of their own (8.0 GiB in all)');
});
