/** `memprobe heap FILE`: what a heap file holds, without changing it. */
import { Command } from 'commander';
import { formatBytes } from '../format.js';
import { keysOf } from '../heap/header.js';
import { Heap } from '../heap/heap.js';
import type { Salvage } from '../heap/salvage.js';
import { describeError } from './errors.js';
import { occupancy, renderHeap, type HeapKey, type HeapLook } from './heap_table.js';
import { screen } from './screen.js';

interface HeapFlags {
  salvage?: string;
  json?: boolean;
}

const FAILED = 1;
/** Parts of the arena that the picture and --json tell apart. */
const CELLS = 400;

export function heapCommand(): Command {
  return new Command('heap')
    .description(
      'what a heap file holds: its header, roots, statistics, a picture of it, and whether it is whole',
    )
    .argument('<file>', 'a file of memprobe/heap or memprobe/mmalloc; it is not changed')
    .option('--salvage <new file>', 'copy what is readable of a damaged heap')
    .option('--json', 'everything as JSON, sizes in bytes')
    .action(run);
}

async function run(file: string, flags: HeapFlags): Promise<void> {
  if (flags.salvage !== undefined) return tellSalvage(file, flags.salvage, flags.json === true);
  const look = lookAt(file);
  if (look.broken !== undefined) process.exitCode = FAILED;
  process.stdout.write(flags.json ? `${JSON.stringify(look, undefined, 2)}\n` : renderHeap(look, screen()));
}

function lookAt(file: string): HeapLook {
  const heap = Heap.attach(file, { mode: 'read' });
  try {
    const { facts } = heap.region;
    const state = heap.writer !== 0 ? 'written' : heap.repaired ? 'crashed' : 'closed';
    const { base, ...header } = facts;
    return {
      file,
      header: { ...header, base: `0x${base.toString(16)}` },
      state,
      writer: heap.writer,
      stats: heap.stats(),
      roots: heap.roots.list().map((root) => ({ ...root, size: sizeAt(heap, root.ptr) })),
      keys: keysIn(heap),
      occupancy: occupancy(heap.region, CELLS),
      broken: state === 'written' ? undefined : brokenIn(heap),
    };
  } finally {
    heap.close();
  }
}

/** Those of mmalloc_setkey, as the next process gets them. */
function keysIn(heap: Heap): HeapKey[] {
  const { header, facts } = heap.region;
  const start = facts.base + BigInt(facts.arenaAt);
  return [...keysOf(header)].flatMap((kept, key) => {
    const ptr = kept < 0n ? Number(-kept) : 0;
    const value = `0x${(kept < 0n ? start - kept : kept).toString(16)}`;
    return kept === 0n ? [] : [{ key, value, ptr, size: sizeAt(heap, ptr) }];
  });
}

/** 0 for a root that names no block: check says so. */
function sizeAt(heap: Heap, ptr: number): number {
  try {
    return heap.malloc_usable_size(ptr);
  } catch {
    return 0;
  }
}

function brokenIn(heap: Heap): string | undefined {
  try {
    heap.check();
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

async function tellSalvage(file: string, target: string, json: boolean): Promise<void> {
  const { salvage } = await import('../heap/salvage.js');
  const result = salvage(file, target);
  process.stdout.write(json ? `${JSON.stringify(result, undefined, 2)}\n` : salvaged(target, result));
}

function salvaged(target: string, result: Salvage): string {
  const { blocks, bytes, roots, guessed, lostBlocks, lostRoots } = result;
  const lost = lostBlocks.slice(0, 5).map((ptr) => `0x${ptr.toString(16)}`);
  const lines = [`${target} has ${blocks} blocks (${formatBytes(bytes)}) and ${roots} roots.`];
  if (guessed) lines.push('The header was damaged: what it said was found out from the rest.');
  if (lost.length > 0)
    lines.push(
      `Lost: ${lostBlocks.length} blocks, at ${lost.join(', ')}${lostBlocks.length > lost.length ? ' …' : ''}`,
    );
  if (lostRoots.includes('?'))
    lines.push(
      'The list of roots was broken: what looked like a root was listed again, others are lost by name.',
    );
  const named = lostRoots.filter((name) => name !== '?');
  if (named.length > 0) lines.push(`Roots that name nothing any more: ${named.join(', ')}`);
  if (lines.length === 1) lines.push('Nothing was lost.');
  return `${lines.join('\n')}\n`;
}
