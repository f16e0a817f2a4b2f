/**
 * What only the process itself can tell: every isolate's own figures.
 *
 * These functions also travel as text into a process that is attached to, which may have no memprobe installed and
 * may be CommonJS or ESM: they use nothing but globals, what they are handed, and each other.
 */
import type * as Inspector from 'node:inspector';
import type * as V8 from 'node:v8';
import type * as Threads from 'node:worker_threads';
import type { Isolate } from './snapshot.js';

export interface Workers {
  isolates: Isolate[];
  /** Names of workers that gave no answer in time. */
  silent: string[];
}

/** Finds a built-in module where only the inspector's command line API is at hand, and where `require` is not. */
export const GET = '(process.getBuiltinModule ?? require)';

/** The calling isolate about itself; takes well under a millisecond. */
export function describeIsolate(v8: typeof V8, threads: typeof Threads): Isolate {
  const { used_heap_size: used, heap_size_limit: limit } = v8.getHeapStatistics();
  const { arrayBuffers, external } = process.memoryUsage();
  const spaces = v8.getHeapSpaceStatistics().map((space) => {
    return { name: space.space_name, used: space.space_used_size, physical: space.physical_space_size };
  });
  const name = threads.isMainThread ? 'main' : `worker ${threads.threadId}`;
  return { threadId: threads.threadId, name, spaces, used, limit, arrayBuffers, external };
}

/** `describeIsolate` as an expression whose value is JSON. */
export function describeSource(): string {
  return `JSON.stringify((${describeIsolate})(${GET}('v8'), ${GET}('worker_threads')))`;
}

/**
 * All worker threads about themselves, busy ones too: the inspector interrupts their JavaScript. A worker that is
 * blocked in native code does not answer within `timeout` milliseconds. Works on the main thread only.
 */
export function askWorkers(inspector: typeof Inspector, source: string, timeout: number): Promise<Workers> {
  const session = new inspector.Session();
  const waiting = new Map<string, string>();
  const isolates: Isolate[] = [];
  let announced = false;
  return new Promise((resolve, reject) => {
    const finish = () => {
      clearTimeout(timer);
      session.post('NodeWorker.disable', () => session.disconnect());
      resolve({ isolates, silent: [...waiting.values()] });
    };
    const settle = (sessionId: string) => {
      if (waiting.delete(sessionId) && announced && waiting.size === 0) finish();
    };
    const timer = setTimeout(finish, timeout);
    session.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
      waiting.set(sessionId, workerInfo.title);
      const params = { expression: source, includeCommandLineAPI: true, returnByValue: true };
      const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params });
      session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
    });
    session.on('NodeWorker.receivedMessageFromWorker', ({ params: { sessionId, message } }) => {
      const { id, result } = JSON.parse(message);
      const name = waiting.get(sessionId);
      if (id !== 1 || name === undefined || typeof result?.result?.value !== 'string') return;
      isolates.push({ ...JSON.parse(result.result.value), name });
      settle(sessionId);
    });
    session.on('NodeWorker.detachedFromWorker', ({ params: { sessionId } }) => settle(sessionId));
    session.connect();
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false }, (error) => {
      // All workers have been announced by now; the first may have answered before the last was announced.
      announced = true;
      if (error) reject(error);
      else if (waiting.size === 0) finish();
    });
  });
}

/** `askWorkers` as an expression for a process that is attached to; its value is a promise of JSON. */
export function askWorkersSource(timeout: number): string {
  const call = `(${askWorkers})(${GET}('inspector'), ${JSON.stringify(describeSource())}, ${timeout})`;
  return `${call}.then(JSON.stringify)`;
}
