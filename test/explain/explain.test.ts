/** explain() on real processes. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { attach } from '../../lib/attach/index.js';
import { attribute, collect, type Explanation, explain } from '../../lib/explain/index.js';
import { attached } from '../../lib/explain/insider.js';
import { run, said } from '../helpers/child.js';
import { ZOMBIE } from '../helpers/zombie.js';
import {
  bytesOf,
  EIGHT_WORKERS,
  FRAGMENTED,
  HTTP_SERVER,
  NODE_OPTIONS,
  NODES,
  start,
  startNode,
  sum,
} from './processes.js';

const MiB = 2 ** 20;

async function explainAttached(pid: number, trim = false): Promise<Explanation> {
  const attachment = await attach(pid);
  try {
    return attribute(await collect(pid, { insider: attached(attachment), trim }));
  } finally {
    await attachment.close();
  }
}

function expectTold(explanation: Explanation): void {
  expect(sum(explanation)).toBe(explanation.rss);
  const untold = explanation.categories.find(({ id }) => id === 'unexplained');
  expect((untold?.bytes ?? 0) / explanation.rss, JSON.stringify(untold?.parts)).toBeLessThanOrEqual(0.02);
}

describe.each(NODES)('%s', (node) => {
  test('at most 2% of an http server under load is unexplained', async () => {
    const { pid } = await startNode(node, HTTP_SERVER);
    expectTold(await explainAttached(pid));
  });

  test('at most 2% of a process with 8 workers is unexplained, and all isolates are asked, busy ones too', async () => {
    const { pid } = await startNode(node, EIGHT_WORKERS);
    const explanation = await explainAttached(pid);
    expectTold(explanation);
    expect(explanation.notes).toEqual([]);
    const heap = explanation.categories.find(({ id }) => id === 'v8.heap');
    expect(heap?.source).toContain('every isolate');
  });

  test('what glibc keeps after a burst is told, and malloc_trim gives back what was estimated', async () => {
    const { pid } = await startNode(node, FRAGMENTED);
    const snapshot = attribute(await collect(pid));
    const { trim, categories, rss } = await explainAttached(pid, true);
    const retained = categories.find(({ id }) => id === 'malloc.retained')?.bytes ?? 0;
    expect(snapshot.verdict.id).toBe('malloc-retained');
    expect(retained / rss).toBeGreaterThan(0.3);
    const saved = (trim?.before ?? 0) - (trim?.after ?? 0);
    expect(saved / retained).toBeGreaterThan(0.85);
    expect(saved / retained).toBeLessThan(1.15);
  });

  test('the process is left as it was: it runs on, and its inspector is closed', async () => {
    const child = await startNode(node, "console.log('ready'); setInterval(() => {}, 1000);");
    await explainAttached(child.pid);
    const again = await explainAttached(child.pid);
    expect(again.way).toBe('attached');
    expect(child.exitCode).toBeNull();
  });
});

test('at most 2% of the demo workload is unexplained, and it is told what glibc keeps of it', async () => {
  const program = fileURLToPath(new URL('../../scripts/demo-workload.mjs', import.meta.url));
  const { pid } = await start(process.execPath, [...NODE_OPTIONS, program]);
  const explanation = await explainAttached(pid);
  expectTold(explanation);
  expect(explanation.verdict.id).toBe('malloc-retained');
  expect(bytesOf(explanation, 'buffers') / MiB).toBeGreaterThan(32);
  expect(bytesOf(explanation, 'files') / MiB).toBeGreaterThanOrEqual(16);
});

const LIBRARY = JSON.stringify(new URL('../../dist/explain/index.js', import.meta.url).href);

test('the own process adds up, from inside', async () => {
  // Not the runner's process, whose other threads allocate while the map and the heaps are read.
  const { stdout } = await run(
    `import(${LIBRARY}).then(async ({ explain }) => say({ ...(await explain()), own: process.pid }));`,
  );
  const { own, ...explanation }: Explanation & { own: number } = JSON.parse(stdout);
  expectTold(explanation);
  expect([explanation.pid, explanation.way]).toEqual([own, 'inside']);
});

/** The MiB that explain() says Buffers grew by, in a process of its own where nothing else is collected meanwhile. */
async function growth(make: string): Promise<number> {
  const [grown] = await said(
    `(async () => {
       const { explain } = await import(${LIBRARY});
       const buffers = async () => {
         gc();
         return (await explain()).categories.find(({ id }) => id === 'buffers').bytes;
       };
       await buffers();
       const before = await buffers();
       globalThis.kept = ${make};
       say((await buffers()) - before);
     })();`,
    { args: ['--expose-gc'] },
  );
  return Number(grown) / MiB;
}

test('Buffers that were written are resident: what they grow by is what buffers grow by', async () => {
  const grown = await growth('Array.from({ length: 32 }, () => Buffer.alloc(4 * 2 ** 20, 1))');
  expect(grown / 128).toBeGreaterThan(0.97);
  expect(grown / 128).toBeLessThan(1.03);
});

test('Buffers that were never touched are not resident, and are not told as if', async () => {
  expect(await growth('new ArrayBuffer(256 * 2 ** 20)')).toBeLessThan(4);
});

test('a WebAssembly memory is told as such', async () => {
  const code = `globalThis.memory = new WebAssembly.Memory({ initial: 256 });
    new Uint8Array(memory.buffer).fill(1); console.log('ready'); setInterval(() => {}, 1000);`;
  const { categories } = await explain({
    pid: (await startNode(process.execPath, code)).pid,
  });
  const wasm = categories
    .find(({ id }) => id === 'buffers')
    ?.parts?.find(({ label }) => label.startsWith('Web'));
  expect((wasm?.bytes ?? 0) / MiB).toBeGreaterThanOrEqual(16);
});

test('Buffers are told by the thread that holds them', async () => {
  const code = `globalThis.kept = Buffer.alloc(2 ** 20, 1);
    const code = "globalThis.kept = Buffer.alloc(100 * 2 ** 20, 1); setInterval(() => {}, 1000);" +
      "require('worker_threads').parentPort.postMessage(1);";
    new (require('worker_threads').Worker)(code, { eval: true }).on('message', () => console.log('ready'));`;
  const { verdict, categories } = await explainAttached((await startNode(process.execPath, code)).pid);
  const [biggest] = categories.find(({ id }) => id === 'buffers')?.parts ?? [];
  expect(verdict.id).toBe('buffers');
  expect(biggest?.label).toMatch(/worker 1.*: backing stores/i);
  expect((biggest?.bytes ?? 0) / MiB).toBeGreaterThan(95);
});

test('what was written in a private mapping of a file is told from the clean pages of the file', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-explain-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const code = `import mmap, sys, time
with open(sys.argv[1], 'w+b') as file:
  file.truncate(160 << 20)
  m = mmap.mmap(file.fileno(), 160 << 20, access=mmap.ACCESS_COPY)
for at in range(0, 160 << 20, 4096): m[at] if at < 20 << 20 else m.__setitem__(at, 1)
print(1, flush=True)
time.sleep(60)`;
  const { pid } = await start('python3', ['-c', code, join(directory, 'table.bin')]);
  const explanation = await explain({ pid });
  const pages = explanation.categories.find(({ id }) => id === 'files')?.pages;
  expect(pages?.copied).toBe(140 * MiB);
  // On tmpfs, pages that were only read may count as dirty.
  expect(((pages?.clean ?? 0) + (pages?.dirty ?? 0)) / MiB).toBeGreaterThanOrEqual(10);
  expect(explanation.verdict.summary).toContain('140 MiB of it are private copies of file pages');
  expect(explanation.remedies[0]?.id).toBe('private-copies');
  expect(sum(explanation)).toBe(explanation.rss);
});

test("a worker's own stack is told by its thread", async () => {
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
  await new Promise((resolve) => worker.once('online', resolve));
  const { categories } = await explain();
  await worker.terminate();
  const stacks = categories.find(({ id }) => id === 'stacks');
  expect(stacks?.parts?.length).toBeGreaterThan(5);
});

test('called in a worker it adds up, and says that it cannot ask the other threads', async () => {
  const code = `import(${LIBRARY}).then(async ({ explain }) =>
    require('node:worker_threads').parentPort.postMessage(await explain()));`;
  const worker = new Worker(code, { eval: true });
  const explanation = await new Promise<Explanation>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  await worker.terminate();
  expect(sum(explanation)).toBe(explanation.rss);
  expect(explanation.notes.join()).toContain('worker thread');
});

test('a process that is no Node process is explained from outside', async () => {
  const { pid } = await start('python3', [
    '-c',
    "import time; kept = 'x' * 10**7; print(1, flush=True); time.sleep(60)",
  ]);
  const explanation = await explain({ pid });
  expect(sum(explanation)).toBe(explanation.rss);
  expect(explanation.way).toBe('outside');
  expect(bytesOf(explanation, 'malloc.live')).toBeGreaterThan(10 ** 7);
  expect(bytesOf(explanation, 'v8.heap')).toBe(0);
});

test('memory that only huge pages made resident is told, where the kernel gives huge pages', async (context) => {
  const code = `import mmap, time
m = mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m.madvise(mmap.MADV_HUGEPAGE)
for at in range(0, 64 << 20, 1 << 20): m[at] = 1
print(1, flush=True)
time.sleep(60)`;
  const { pid } = await start('python3', ['-c', code]);
  const snapshot = await collect(pid);
  const rows = [...snapshot.smaps].filter(({ anonHugePages = 0 }) => anonHugePages > 0);
  if (!rows.some((row) => row.anonHugePages === hugeBytes(row)))
    context.skip('no transparent huge pages here, or not for all of it');
  const explanation = attribute(snapshot);
  expect(bytesOf(explanation, 'huge.waste') / MiB).toBeGreaterThan(50);
  expect(sum(explanation)).toBe(explanation.rss);
});

/** How much of it huge pages of 2 MiB can be. */
function hugeBytes({ start, end }: { start: bigint; end: bigint }): number {
  const mask = 2n ** 21n - 1n;
  return Number((end & ~mask) - ((start + mask) & ~mask));
}

describe('errors', () => {
  test('a pid that does not exist is ESRCH', async () => {
    await expect(explain({ pid: 2 ** 22 + 1 })).rejects.toMatchObject({
      code: 'ESRCH',
    });
  });

  test('a pid that is none is refused', async () => {
    await expect(explain({ pid: 1.5 })).rejects.toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
    });
    await expect(explain({ pid: '1' as unknown as number })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });

  test('a zombie has no memory of its own', async () => {
    const { pid } = await start('python3', ['-c', ZOMBIE]);
    const zombie = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'));
    await expect(explain({ pid: zombie })).rejects.toMatchObject({
      code: 'ERR_MEMPROBE_NO_MEMORY',
    });
  });

  test('without a procfs the message says so, inside as from outside', async ({ skip }) => {
    const bare = ['--mount', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'];
    if (spawnSync('unshare', [...bare, 'true']).status !== 0)
      skip('no mount namespace of its own can be made here');
    for (const options of ['', '{ pid: 1 }']) {
      const code = `const { explain } = await import('./lib/explain/index.js');
        await explain(${options}).catch(({ message }) => console.log(message));`;
      const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', code];
      const { stdout } = spawnSync('unshare', [...bare, ...node], { encoding: 'utf8' });
      expect(stdout).toContain('/proc is not a mounted procfs');
    }
  });

  test('a process that ends half-way is an error, never a wrong sum', async () => {
    const child = await start('python3', ['-c', 'print(1, flush=True); import time; time.sleep(60)']);
    const explained = explain({ pid: child.pid }).then(sum, (error: NodeJS.ErrnoException) => error.code);
    child.kill('SIGKILL');
    const result = await explained;
    expect(
      typeof result === 'number' ||
        ['ESRCH', 'ENOENT', 'EACCES', 'ERR_MEMPROBE_NO_MEMORY'].includes(String(result)),
    ).toBe(true);
  });
});
