/** Who answers from inside the process: the process itself, one that was attached to, a child, or nobody. */
import { addonPath, native, UnsupportedError } from '../native.js';
import { askSelf, type Inside, silence, WORKERS_TIMEOUT } from './ask.js';
import { askWorkersSource, describeSource, GET, type Workers } from './inside.js';
import type { Way } from './schema.js';
import type { Isolate, Range } from './snapshot.js';

export interface Insider {
  way: Way;
  /** All isolates of the process, and what could not be asked. */
  ask(): Promise<Inside>;
  /** What memprobe mapped there, given the addon's file as that process has mapped it. */
  owned(addon: string): Promise<Range[]>;
  /** malloc_trim(3) on that process's thread pool; the milliseconds it took. */
  trim(): Promise<number>;
}

/** The calling process. */
export const self: Insider = {
  way: 'inside',
  ask: askSelf,
  owned: async () => toRanges(native.libc.owned_ranges()),
  trim: async () => {
    const start = performance.now();
    await native.promises.malloc_trim(0);
    return performance.now() - start;
  },
};

/** What is needed of an attachment; see lib/attach. */
export interface Evaluator {
  evaluate(expression: string, options?: { timeout?: number }): Promise<unknown>;
}

/** A live process through its inspector: only what must be asked there is asked there. */
export function attached(target: Evaluator): Insider {
  const call = async (expression: string) => JSON.parse(String(await target.evaluate(expression)));
  return {
    way: 'attached',
    ask: async () => {
      const own: Isolate = await call(describeSource());
      const { isolates, notes } = await askItsWorkers(target);
      return { isolates: [own, ...isolates], notes };
    },
    owned: async (addon) => {
      const list: string[] = await call(
        `JSON.stringify(Array.from(${load(addon)}.libc?.owned_ranges?.() ?? [], String))`,
      );
      return toRanges(BigUint64Array.from(list, BigInt));
    },
    trim: () => {
      if (addonPath === undefined)
        throw new UnsupportedError('there is no addon for this platform to trim with');
      return call(trimSource(addonPath));
    },
  };
}

function trimSource(addon: string): string {
  return `(async () => {
    const start = performance.now();
    await ${load(addon)}.promises.malloc_trim(0);
    return performance.now() - start;
  })()`;
}

function load(addon: string): string {
  return `${GET}('module').createRequire('/')(${JSON.stringify(addon)})`;
}

/** Needs the target's event loop: a target whose loop is blocked still has told of its main thread. */
async function askItsWorkers(target: Evaluator): Promise<Inside> {
  try {
    const answer = await target.evaluate(askWorkersSource(WORKERS_TIMEOUT), { timeout: 2 * WORKERS_TIMEOUT });
    const workers: Workers = JSON.parse(String(answer));
    return { isolates: workers.isolates, notes: silence(workers) };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { isolates: [], notes: [`worker threads could not be asked: ${why}`] };
  }
}

/** Start and end of each range in turn, as the addon gives them. */
function toRanges(bounds: BigUint64Array): Range[] {
  const ranges: Range[] = [];
  for (let i = 0; i + 1 < bounds.length; i += 2)
    ranges.push({ start: bounds[i] ?? 0n, end: bounds[i + 1] ?? 0n });
  return ranges;
}
