import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { MPOL_BIND, MPOL_DEFAULT, MPOL_F_STATIC_NODES, set_mempolicy } from '../../lib/libc/index.js';
import {
  allowedNodes,
  formatPolicy,
  type MemoryByKind,
  policy,
  type ProcessMemory,
  processMemory,
} from '../../lib/numa/index.js';
import { readSmaps } from '../../lib/procfs/index.js';
import { rejected } from '../helpers/errors.js';
import { spawnWithMappings, stop } from '../procfs/support.js';
import { captured, numbers, root } from './captured.js';

const MB = 1 << 20;

/** numastat's rows, in its MB to two places; the last column is the total. */
function rows(numastat: string): Record<string, number[]> {
  const lines = numastat
    .split('\n')
    .flatMap((line) => /^(Huge|Heap|Stack|Private|Total) +(\d.*)$/.exec(line) ?? []);
  const found: Record<string, number[]> = {};
  for (let i = 0; i < lines.length; i += 3) found[lines[i + 1] ?? ''] = numbers(lines[i + 2]);
  return found;
}

/** The same rows of ours; numastat also has a column for a node that holds nothing. */
function asNumastat({ nodes, total }: ProcessMemory): Record<string, number[]> {
  const columns: MemoryByKind[] = [...nodes, total];
  return {
    Huge: columns.map(({ huge }) => huge / MB),
    Heap: columns.map(({ heap }) => heap / MB),
    Stack: columns.map(({ stack }) => stack / MB),
    Private: columns.map(({ anonymous, files }) => (anonymous + files) / MB),
    Total: columns.map((column) => column.total / MB),
  };
}

/** To the two places that numastat shows. */
function expectAgreement(ours: ProcessMemory, numastat: string, slack = 0.0051): void {
  const theirs = rows(numastat);
  expect(Object.keys(theirs).sort()).toEqual(['Heap', 'Huge', 'Private', 'Stack', 'Total']);
  for (const [name, columns] of Object.entries(asNumastat(ours))) {
    const nodes = ours.nodes.map(({ node }) => node);
    const wanted = theirs[name]?.filter(
      (_, column, all) => column === all.length - 1 || nodes.includes(column),
    );
    expect(columns).toHaveLength(wanted?.length ?? 0);
    columns.forEach((value, i) => expect(Math.abs(value - (wanted?.[i] ?? NaN)), name).toBeLessThan(slack));
  }
}

test('of a captured process on four nodes it is what numastat -p said', async () => {
  const memory = await processMemory({ pid: 147, root: root('linux-6.1-four') });
  expect(memory.nodes.map(({ node }) => node)).toEqual([0, 1, 2, 3]);
  // numastat reads the file once more, and the process had grown by then.
  expectAgreement(memory, captured('linux-6.1-four', '147/numastat.txt'), 0.2);
  expect(memory.policies).toEqual([{ policy: 'interleave:0-3', bytes: memory.total.total }]);
});

test('every byte has one kind and one node', async () => {
  const { nodes, total, policies } = await processMemory({ pid: 141, root: root('linux-6.1-holes') });
  expect(nodes.map(({ node }) => node)).toEqual([0, 3]);
  const { total: all, ...kinds } = total;
  expect(Object.values(kinds).reduce((sum, bytes) => sum + bytes, 0)).toBe(all);
  expect(nodes.reduce((sum, node) => sum + node.total, 0)).toBe(all);
  expect(policies.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(all);
});

describe('of a live process', () => {
  const numastat = spawnSync('numastat', ['-V']).error === undefined;
  if (!numastat) console.error('numa: numastat is not here, so processMemory() is not compared with it');

  test.skipIf(!numastat)('it is what numastat -p says', async () => {
    const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1e9)']);
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    const { pid = 0 } = child;
    child.kill('SIGSTOP'); // so that it is the same for both
    await expect.poll(() => readFileSync(`/proc/${pid}/status`, 'latin1')).toMatch(/^State:\tT/m);
    const said = spawnSync('numastat', ['-p', String(pid)], { encoding: 'utf8' }).stdout;
    expectAgreement(await processMemory({ pid }), said);
  });

  test('it adds up to what is resident', async () => {
    const child = await spawnWithMappings(2000);
    onTestFinished(() => stop(child));
    const { pid } = child;
    const [memory, smaps] = [await processMemory({ pid }), await readSmaps({ pid })];
    expect(Math.abs(memory.total.total / smaps.total('Rss') - 1)).toBeLessThan(0.1);
  });

  test('that is gone it is ESRCH', async () => {
    expect(await rejected(processMemory({ pid: 2 ** 22 + 1 }))).toMatchObject({ code: 'ESRCH' });
  });
});

describe('policy', () => {
  afterEach(() => set_mempolicy(MPOL_DEFAULT, null));

  test('is this thread’s, in the kernel’s words', () => {
    const [node = 0] = allowedNodes();
    expect(formatPolicy(policy())).toBe('default');
    set_mempolicy(MPOL_BIND | MPOL_F_STATIC_NODES, [node]);
    expect(policy()).toEqual({ mode: 'bind', flags: ['static'], nodes: [node] });
    expect(formatPolicy(policy())).toBe(`bind=static:${node}`);
  });
});
