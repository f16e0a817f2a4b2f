/** Gathers the raw facts. The map, the stacks and the heaps are read from outside, off this process's event loop. */
import { readlink } from 'node:fs/promises';
import { readHeap } from '../procfs/heap.js';
import { readSmaps, type Smaps } from '../procfs/smaps.js';
import { readSmapsRollup } from '../procfs/smaps_rollup.js';
import { readStatm } from '../procfs/statm.js';
import type { Inside } from './ask.js';
import type { Insider } from './insider.js';
import { programName } from './name.js';
import type { Trim } from './schema.js';
import type { Range, Snapshot } from './snapshot.js';
import { findStacks } from './stacks.js';
import { findZeros } from './zeros.js';

export interface CollectOptions {
  /** Who answers from inside; nobody means a look from outside. */
  insider?: Insider;
  /** Have malloc_trim(3) run there afterwards, and measure what it gave back. */
  trim?: boolean;
  /** Told what comes next, for people who wait. */
  progress?: (step: string) => void;
}

/**
 * Errors: ESRCH (no such process, or it ended half-way), EACCES (another user's), ERR_MEMPROBE_NO_MEMORY (a kernel
 * thread or a zombie). What else fails is a note in the snapshot: the rest is still worth having.
 */
export async function collect(pid: number, options: CollectOptions = {}): Promise<Snapshot> {
  const { insider, progress = () => {} } = options;
  const notes: string[] = [];
  await readStatm({ pid }); // where there is no /proc this says so; the isolates' own figures would fail without a reason
  progress('asking the isolates');
  const inside: Inside = (await insider?.ask()) ?? { isolates: [], notes: [] };
  progress('reading the memory map');
  const smaps = await readSmaps({ pid });
  if (smaps.length === 0) throw noMemory(pid);
  const stacks = (await orNote(findStacks(pid, smaps), 'thread stacks could not be told', notes)) ?? [];
  progress('walking the heaps');
  const heap = await orNote(readHeap({ pid }), 'malloc could not be walked', notes);
  const zeros = await findZeros(pid, smaps);
  const owned = await findOwned(smaps, insider, notes);
  const facts = {
    pid,
    name: await programName(pid),
    time: new Date().toISOString(),
    smaps,
    stacks,
    owned,
    zeros,
  };
  const v8 = inside.isolates.length > 0 || (await looksLikeNode(pid, smaps));
  const way = insider?.way ?? 'outside';
  const snapshot: Snapshot = {
    ...facts,
    way,
    v8,
    isolates: inside.isolates,
    notes: [...inside.notes, ...notes],
  };
  if (heap) snapshot.heap = heap;
  if (options.trim && insider) {
    progress('trimming');
    snapshot.trim = await measureTrim(pid, insider);
  }
  return snapshot;
}

function noMemory(pid: number): Error {
  const why = `process ${pid} has no memory of its own: it is a kernel thread, or a zombie that waits for its parent`;
  return Object.assign(new Error(why), { code: 'ERR_MEMPROBE_NO_MEMORY' });
}

/** What malloc_trim gave back. smaps_rollup counts exactly; statm may be some pages off for each CPU. */
async function measureTrim(pid: number, insider: Insider): Promise<Trim> {
  const { rss: before = 0 } = await readSmapsRollup({ pid });
  const milliseconds = await insider.trim();
  const { rss: after = 0 } = await readSmapsRollup({ pid });
  return { before, after, milliseconds };
}

/** What fails becomes a note, except that the process is gone: then nothing else is worth having either. */
async function orNote<T>(facts: Promise<T>, what: string, notes: string[]): Promise<T | undefined> {
  try {
    return await facts;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') throw error;
    notes.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Only a process that has the addon loaded can have mapped anything through it. */
async function findOwned(smaps: Smaps, insider: Insider | undefined, notes: string[]): Promise<Range[]> {
  const addon = smaps.paths.find((path) => /\/memprobe.*\.node$/.test(path));
  if (!addon || !insider) return [];
  return (await orNote(insider.owned(addon), 'what memprobe mapped there could not be told', notes)) ?? [];
}

/** Node itself or a program with Node inside; other programs' memory is not searched for V8's. */
export async function looksLikeNode(pid: number, smaps?: Smaps): Promise<boolean> {
  const program = await readlink(`/proc/${pid}/exe`).catch(() => '');
  if (/\/(node|nodejs|electron)[^/]*$/.test(program)) return true;
  return smaps?.paths.some((path) => /\/libnode\.so/.test(path)) ?? false;
}
