/** What the calling process can say of itself. Loads nothing but Node: a program to be explained loads it too. */
import inspector from 'node:inspector';
import v8 from 'node:v8';
import * as threads from 'node:worker_threads';
import { askWorkers, describeIsolate, describeSource, type Workers } from './inside.js';
import type { Isolate } from './snapshot.js';

export interface Inside {
  isolates: Isolate[];
  /** What could not be asked, and why. */
  notes: string[];
}

/** Milliseconds. Workers answer through the main thread's inspector in some 10 ms, however busy they are. */
export const WORKERS_TIMEOUT = 1000;

/** All isolates, asked on the main thread; in a worker thread only its own. */
export async function askSelf(): Promise<Inside> {
  const own = describeIsolate(v8, threads);
  if (!threads.isMainThread) {
    const note =
      'called in a worker thread, from where the other threads cannot be asked: call it on the main thread';
    return { isolates: [own], notes: [note] };
  }
  const workers = await askWorkers(inspector, describeSource(), WORKERS_TIMEOUT);
  return { isolates: [own, ...workers.isolates], notes: silence(workers) };
}

/** For where nothing asynchronous can happen any more. */
export function askMainThread(): Inside {
  const note = 'explained at the end of the program, when worker threads cannot be asked any more';
  return { isolates: [describeIsolate(v8, threads)], notes: [note] };
}

export function silence({ silent }: Workers): string[] {
  return silent.length === 0 ? [] : [`no answer within ${WORKERS_TIMEOUT} ms from ${silent.join(', ')}`];
}
