/** Kills a process that works on a heap, and compares what is left with the journal of what it had acknowledged. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Heap } from '../../lib/heap/index.js';
import { random } from '../allocator/model.js';
import { isIntact, Op, readRecords, tagOf } from './torture_journal.js';

const WORKER = fileURLToPath(new URL('torture_worker.ts', import.meta.url));
const ENTRY = new URL('../../dist/heap/index.js', import.meta.url).href;

interface Paths {
  readonly heap: string;
  readonly journal: string;
  /** The worker's program, in JavaScript: it starts sooner. */
  readonly worker: string;
}

export interface Outcome {
  kills: number;
  /** Kills after which attach or check failed. */
  broken: number;
  /** Kills after which an acknowledged block or root was gone or changed. */
  lost: number;
  operations: number;
  /** Kills that came between the beginning and the end of an operation. */
  inside: number;
  repairs: number;
  /** Milliseconds. */
  slowest: number;
  complaints: string[];
}

/** What must be there: blocks by address with their tags, roots by name. */
interface Expected {
  readonly blocks: Map<number, number>;
  readonly roots: Map<number, number>;
}

/** Heaps that are worked on at the same time: most of a kill is a process that starts. */
const LANES = 2;

/** `report` after each kill; false ends it. */
export async function torture(
  directory: string,
  kills: number,
  seed: number,
  report: (done: number, outcome: Outcome) => boolean = () => true,
): Promise<Outcome> {
  const worker = join(directory, 'worker.mjs');
  await build({ entryPoints: [WORKER], outfile: worker, bundle: true, format: 'esm', platform: 'node' });
  const outcome: Outcome = {
    kills: 0,
    broken: 0,
    lost: 0,
    operations: 0,
    inside: 0,
    repairs: 0,
    slowest: 0,
    complaints: [],
  };
  let left = kills;
  const lane = async (_: unknown, number: number): Promise<void> => {
    const paths = {
      heap: join(directory, `heap${number}`),
      journal: join(directory, `journal${number}`),
      worker,
    };
    const next = random(seed * 7919 + number);
    let expected = fresh(paths.heap);
    while (left-- > 0) {
      rmSync(paths.journal, { force: true });
      await killOne(paths, next);
      expected = judge(paths, expected, outcome);
      if (!report(++outcome.kills, outcome)) left = 0;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return outcome;
}

function fresh(heap: string): Expected {
  rmSync(heap, { force: true });
  Heap.create(heap, { limit: 2 ** 24 }).close();
  return { blocks: new Map(), roots: new Map() };
}

/** After a kill: what is there from now on. */
function judge(paths: Paths, expected: Expected, outcome: Outcome): Expected {
  try {
    return compare(paths, expected, outcome);
  } catch (error) {
    outcome.broken++;
    outcome.complaints.push(`${paths.heap}: ${error instanceof Error ? error.stack : String(error)}`);
    return fresh(paths.heap);
  }
}

/** Every other worker ends itself at a store; the others run until they are killed. */
async function killOne(paths: Paths, next: (below: number) => number): Promise<void> {
  const stepping = next(2) === 0;
  const stores = stepping ? String(next(next(2) === 0 ? 300 : 6000)) : '';
  const args = [paths.worker, ENTRY, paths.heap, paths.journal, String(next(2 ** 30)), stores];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  if (!stepping) await killAfter(child, next(30) + next(2) * next(60));
  const [code, signal]: unknown[] = await gone;
  if (signal !== 'SIGKILL') throw new Error(`the worker ended with ${String(code ?? signal)}`);
}

async function killAfter(child: ChildProcess, milliseconds: number): Promise<void> {
  if (child.stdout !== null) await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  await new Promise((done) => setTimeout(done, milliseconds));
  child.kill('SIGKILL');
}

/** Attaches the heap, holds it against the journal, and returns what is there now. */
function compare(paths: Paths, expected: Expected, outcome: Outcome): Expected {
  const { done, begun } = readRecords(
    existsSync(paths.journal) ? readFileSync(paths.journal) : Buffer.alloc(0),
  );
  for (const record of done) apply(expected, record);
  outcome.operations += done.length;
  if (begun !== undefined) outcome.inside++;
  const start = performance.now();
  const heap = Heap.attach(paths.heap);
  outcome.slowest = Math.max(outcome.slowest, performance.now() - start);
  if (heap.repaired) outcome.repairs++;
  try {
    heap.check();
    const complaints = differences(heap, expected, begun);
    if (complaints.length > 0) outcome.lost++;
    outcome.complaints.push(...complaints.map((each) => `${paths.heap}: ${each}`));
    dropUnfinished(heap);
    return found(heap);
  } finally {
    heap.close();
  }
}

/** A block that was made and not yet filled is there, whole, and nobody's. */
function dropUnfinished(heap: Heap): void {
  const { blocks, roots } = found(heap);
  const rooted = new Set(roots.values());
  for (const ptr of blocks.keys()) if (!rooted.has(ptr) && !isIntact(heap.view(ptr))) heap.free(ptr);
}

type Record = ReturnType<typeof readRecords>['done'][number];

function apply({ blocks, roots }: Expected, { op, ptr, result, root, tag }: Record): void {
  if (op === Op.free || op === Op.realloc) blocks.delete(ptr);
  if ((op === Op.malloc || op === Op.realloc) && result !== 0) blocks.set(result, tag);
  if (op === Op.set) roots.set(root, ptr);
  if (op === Op.unset) roots.delete(root);
}

/** What is missing, changed or too much, beyond what the operation under way explains. */
function differences(heap: Heap, { blocks, roots }: Expected, begun: Record | undefined): string[] {
  const complaints: string[] = [];
  const now = found(heap);
  const going = begun !== undefined && (begun.op === Op.free || begun.op === Op.realloc) ? begun.ptr : 0;
  for (const [ptr, tag] of blocks) {
    const there = now.blocks.get(ptr);
    if (ptr !== going && (there !== tag || !isIntact(heap.view(ptr))))
      complaints.push(
        `block ${ptr} with tag ${tag} is ${there === undefined ? 'gone' : `changed (${there})`}`,
      );
  }
  const more = [...now.blocks.keys()].filter((ptr) => !blocks.has(ptr));
  const making = begun !== undefined && (begun.op === Op.malloc || begun.op === Op.realloc);
  if (more.length > (making ? 1 : 0)) complaints.push(`blocks that nobody asked for: ${more.join(', ')}`);
  if (begun?.op === Op.realloc && !now.blocks.has(begun.ptr) && more.length === 0)
    complaints.push(`realloc of ${begun.ptr} left neither block`);
  for (const name of new Set([...roots.keys(), ...now.roots.keys()])) {
    const under =
      begun !== undefined && (begun.op === Op.set || begun.op === Op.unset) && begun.root === name;
    const fine =
      now.roots.get(name) === roots.get(name) ||
      (under && [undefined, begun.ptr].includes(now.roots.get(name)));
    if (!fine) complaints.push(`root ${name} names ${now.roots.get(name)}, not ${roots.get(name)}`);
  }
  return complaints;
}

/** All blocks but those of the list of roots, and all roots. */
function found(heap: Heap): Expected {
  const nodes = new Set(heap.roots.nodes());
  const blocks = new Map<number, number>();
  for (const { ptr, state } of heap.walk())
    if (state === 'used' && !nodes.has(ptr)) blocks.set(ptr, tagOf(heap.view(ptr)));
  return { blocks, roots: new Map(heap.roots.list().map(({ name, ptr }) => [Number(name), ptr])) };
}
