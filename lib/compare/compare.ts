/** One workload on every allocator, each in a process of its own. */
import type { Reached, Walk } from './child.js';
import { Contestant, ReplayError } from './contest.js';
import { type Plan, planOf } from './plan.js';
import type { AllocatorName, Compared, Measured } from './report.js';
import type { Workload } from './stream.js';

const ALLOCATORS: readonly AllocatorName[] = ['typescript', 'glibc', 'glibc-called'];
/** Calls in a turn: some tens of milliseconds. */
const TURN = 250_000;
/** Turns that count, after one for V8's compiler. A workload that takes several times as long as a turn has fewer. */
const TURNS = 5;
const FEW_TURNS = 3;
/** Where V8 has put its code right above the heap, another process will do. */
const TRIES = 5;
/** Bytes that a heap must be able to grow by, beside four times what is live at most. */
const ROOM = 2 ** 28;

export interface CompareOptions {
  /** Takes a picture of each heap when the workload is fullest. */
  picture?: boolean;
  signal?: AbortSignal;
  /** Called with what is done now. */
  progress?: (step: string) => void;
}

/** Throws ReplayError where a process does not come to its end. No process is left when it is done. */
export async function compare(
  workload: Workload,
  notes: readonly string[] = [],
  options: CompareOptions = {},
): Promise<Compared> {
  const { signal, picture = false, progress } = options;
  const plan = planOf(workload);
  progress?.(`${workload.name}: memory`);
  const { moment, samples, cellBytes } = plan;
  const walk = { moment, samples, cellBytes, picture, room: ROOM + 4 * workload.peakLive };
  const field = new Field(signal);
  try {
    const reached = await Promise.all(ALLOCATORS.map((name) => field.enter(name, workload, walk)));
    const times = await race(field.contestants, workload, (done) =>
      progress?.(`${workload.name}: time, ${Math.round(100 * done)}%`),
    );
    const results = reached.map((reach, i) => measured(ALLOCATORS[i]!, reach, times[i]!, workload));
    return { ...described(workload, plan), notes, results };
  } catch (error) {
    signal?.throwIfAborted(); // that is why
    throw error;
  } finally {
    await field.clear();
  }
}

/** The processes that are running. */
class Field {
  readonly contestants: Contestant[] = [];
  readonly #all = new Set<Contestant>();
  readonly #signal: AbortSignal | undefined;
  readonly #stop = () => void this.clear();

  constructor(signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    this.#signal = signal;
    signal?.addEventListener('abort', this.#stop);
  }

  /** Starts a process and has it replay once; what it reached. */
  async enter(name: AllocatorName, workload: Workload, walk: Walk): Promise<Reached> {
    for (let tries = 1; ; tries++) {
      const contestant = new Contestant(name, workload);
      this.#all.add(contestant);
      try {
        const answer = await contestant.ask({ walk });
        if (!('reach' in answer)) throw new ReplayError('the process answered something else');
        this.contestants[ALLOCATORS.indexOf(name)] = contestant;
        return answer.reach;
      } catch (error) {
        this.#signal?.throwIfAborted();
        const unlucky = error instanceof ReplayError && error.code === 'ERR_MEMPROBE_LAB_UNLUCKY';
        if (!unlucky || tries === TRIES) throw error;
        await contestant.end();
      }
    }
  }

  async clear(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#stop);
    await Promise.all([...this.#all].map((contestant) => contestant.end()));
  }
}

/** They take turns, so that whatever else the machine does falls on all alike; nanoseconds a call, the median. */
async function race(
  contestants: readonly Contestant[],
  { calls }: Workload,
  progress: (done: number) => void,
): Promise<number[]> {
  const rounds = Math.ceil(TURN / calls);
  const turns = calls > 4 * TURN ? FEW_TURNS : TURNS;
  const times = contestants.map((): number[] => []);
  for (let turn = 0; turn <= turns; turn++) {
    progress(turn / turns);
    for (const [i, contestant] of contestants.entries()) {
      const answer = await contestant.ask({ run: rounds });
      if ('nanoseconds' in answer && turn > 0) times[i]?.push(answer.nanoseconds / rounds / calls);
    }
  }
  return times.map((all) => all.toSorted((a, b) => a - b)[all.length >> 1] ?? Number.NaN);
}

function measured(
  allocator: AllocatorName,
  { peak, failed, faults, resident, picture }: Reached,
  nanoseconds: number,
  { peakLive }: Workload,
): Measured {
  return {
    allocator,
    nanoseconds: failed > 0 ? null : nanoseconds,
    peak,
    peakOverLive: peak / peakLive,
    resident: Math.max(...resident),
    faults,
    failed,
    timeline: resident,
    ...(picture && { picture }),
  };
}

function described(
  { name, ops, calls, peakLive }: Workload,
  { at, live, moment, cellBytes }: Plan,
): Omit<Compared, 'notes' | 'results'> {
  return {
    workload: name,
    calls,
    peakLive,
    timeline: { at, live },
    operations: ops.length / 2,
    moment,
    cellBytes,
  };
}
