/** Where a process's resident memory went: `explain()`, and the steps that it consists of. */
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { attributing } from './attribute.js';
import { collect } from './collect.js';
import { self } from './insider.js';
import type { Explanation } from './schema.js';
import type { Snapshot } from './snapshot.js';

export { attribute } from './attribute.js';
export { type CollectOptions, collect } from './collect.js';
export { type Change, diff, renderDiff } from './diff.js';
export { type RenderOptions, render } from './render.js';
export type * from './schema.js';
export { CATEGORIES, SCHEMA_VERSION } from './schema.js';
export type { Isolate, Snapshot } from './snapshot.js';

export interface ExplainOptions {
  /**
   * Another process, looked at from outside: V8's heap is told as a whole then, and Buffers are not told from other
   * blocks of malloc. Default: the calling process.
   */
  pid?: number;
  /** Run malloc_trim(3) afterwards in the own process, and measure what it gave back. */
  trim?: boolean;
}

/**
 * Says where the resident memory of this process went. All sizes are bytes; the categories add up to `rss`.
 *
 * Reads smaps, walks malloc's heaps on a pool thread, and asks every isolate through the inspector; the event loop is
 * held no longer than a few milliseconds at a time. Called in a worker thread it cannot ask the other isolates and says so.
 *
 * Errors: ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE for a pid that is none; ESRCH, EACCES as /proc has them.
 * @see proc_pid_smaps(5), malloc_trim(3)
 */
export async function explain(options: ExplainOptions = {}): Promise<Explanation> {
  if (typeof options !== 'object' || options === null) {
    const message = `The "options" argument must be of type object, such as { pid: 1234 }. Received ${inspect(options)}`;
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
  }
  const { pid = process.pid, trim = false } = options;
  const insider = pid === process.pid ? self : undefined;
  return attributeSlowly(await collect(pid, insider ? { insider, trim } : {}));
}

/** Like `attribute`, but lets the event loop turn every thousand mappings. */
export async function attributeSlowly(snapshot: Snapshot): Promise<Explanation> {
  const steps = attributing(snapshot);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await setImmediate();
  }
}
