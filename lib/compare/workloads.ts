/** The built-in workloads, by name. */
import { Stream, type Workload } from './stream.js';

type Random = (below: number) => number;

/** xorshift32. */
function random(seed: number): Random {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return Math.floor(((x >>> 0) / 2 ** 32) * below);
  };
}

const between = (next: Random, low: number, high: number): number => low + next(high - low + 1);

type Recipe = (stream: Stream, next: Random) => void;

/** Eight deep, as nested calls are. */
const lifo =
  (size: number): Recipe =>
  (s) => {
    for (let round = 0; round < 2000; round++) {
      for (let i = 0; i < 8; i++) s.set(i, size);
      for (let i = 7; i >= 0; i--) s.set(i, 0);
    }
  };

/** A queue of a thousand. */
const fifo: Recipe = (s, next) => {
  for (let i = 0; i < 200_000; i++) s.set(i % 1000, between(next, 16, 1024));
};

/** Ten thousand live on average, each slot filled and emptied in turn. */
const tenThousand: Recipe = (s, next) => {
  for (let i = 0; i < 400_000; i++) {
    const slot = next(20_000);
    s.set(slot, (s.sizes[slot] ?? 0) > 0 ? 0 : between(next, 16, 4096));
  }
};

/** All slots full, then one after another replaced: larson's server. */
const replacing =
  (slots: number, low: number, high: number, count: number): Recipe =>
  (s, next) => {
    for (let i = 0; i < slots; i++) s.set(i, between(next, low, high));
    for (let i = 0; i < count; i++) s.set(next(slots), between(next, low, high));
  };

/** Eight times: fill to 4 MiB with one range of sizes, free at random down to half a MiB. What stays pins its neighbourhood. */
const phases: Recipe = (s, next) => {
  const live: number[] = [];
  for (let phase = 0, slot = 0; phase < 8; phase++) {
    const low = 16 << ((phase % 4) * 2);
    while (s.live < 4 << 20) {
      s.set(slot, between(next, low, 4 * low));
      live.push(slot++);
    }
    while (s.live > 512 << 10) {
      const i = next(live.length);
      s.set(live[i] ?? 0, 0);
      live[i] = live[live.length - 1] ?? 0;
      live.pop();
    }
  }
};

/** Eight vectors that grow by half, side by side, to 20,000 bytes. */
const growth: Recipe = (s, next) => {
  for (let round = 0; round < 300; round++) {
    for (let i = 0; i < 8; i++) s.set(i, 16);
    for (let size = 24; size < 20_000; size = (size * 3) >> 1) {
      for (let i = 0; i < 8; i++) s.realloc(i, size + next(16));
    }
    for (let i = 0; i < 8; i++) s.set(i, 0);
  }
};

/** glibc's bench-malloc-simple: n blocks of a size, freed in the order of their making. */
const benchSimple: Recipe = (s) => {
  for (let round = 0; round < 100; round++) {
    for (const [size, count] of [
      [16, 25],
      [64, 100],
      [128, 400],
      [1024, 100],
    ] as const) {
      for (let i = 0; i < count; i++) s.set(i, size);
      for (let i = 0; i < count; i++) s.set(i, 0);
    }
  }
};

/** glibc's bench-malloc-thread with one thread: 1024 slots, sizes 4 to 32768 by an inverse power. */
const benchThread: Recipe = (s, next) => {
  const power = 0.1;
  const [low, high] = [4 ** power, 32768 ** power];
  for (let i = 0; i < 200_000; i++) {
    s.set(next(1024), Math.trunc(((high - low) * (next(1 << 24) / (1 << 24)) + low) ** (1 / power)));
  }
};

const recipes: Readonly<Record<string, Recipe>> = {
  'LIFO 16': lifo(16),
  'LIFO 64': lifo(64),
  'LIFO 1024': lifo(1024),
  FIFO: fifo,
  'random 10k': tenThousand,
  larson: replacing(5000, 8, 1000, 200_000),
  '500k live': replacing(500_000, 8, 128, 500_000),
  phases,
  realloc: growth,
  'malloc-simple': benchSimple,
  'malloc-thread': benchThread,
};

export const WORKLOADS: readonly string[] = Object.keys(recipes);

/** Always the same operations; none for a name that there is not. */
export function makeWorkload(name: string): Workload {
  const stream = new Stream();
  recipes[name]?.(stream, random(11));
  return stream.finish(name);
}
