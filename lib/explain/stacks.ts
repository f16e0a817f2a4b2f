/** Which mapping is the stack of which thread: the one that its stack pointer points into. */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Smaps } from '../procfs/smaps.js';
import { parseTaskSyscall } from '../procfs/stacks.js';
import type { ThreadStack } from './snapshot.js';

/** A running thread does not show its stack pointer: asked again this often, after as many milliseconds. */
const TRIES = 4;
const PAUSE = 2;

/**
 * The stacks of all threads that could be told, within a map that is at hand: looking each one up in /proc again would
 * cost much with many mappings. Errors are those of reading the directory; a thread that ends meanwhile is left out.
 */
export async function findStacks(pid: number, smaps: Smaps): Promise<ThreadStack[]> {
  const directory = `/proc/${pid}/task`;
  const stacks: ThreadStack[] = [];
  for (const task of await readdir(directory)) {
    const pointer = await stackPointer(`${directory}/${task}/syscall`);
    const index = pointer === undefined ? -1 : smaps.indexOf(pointer);
    if (index < 0) continue;
    const name = (await readFile(`${directory}/${task}/comm`, 'utf8').catch(() => 'ended')).trim();
    stacks.push({ tid: Number(task), name, start: smaps.start[index] ?? 0n, end: smaps.end[index] ?? 0n });
  }
  return stacks;
}

async function stackPointer(file: string): Promise<bigint | undefined> {
  for (let i = 0; i < TRIES; i++) {
    const bytes = await readFile(file).catch(() => undefined);
    const state = bytes && parseTaskSyscall(bytes);
    if (state !== 'running') return state?.sp;
    await sleep(PAUSE);
  }
  return undefined;
}
