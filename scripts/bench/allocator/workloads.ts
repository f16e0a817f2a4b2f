/**
 * The workloads, as streams of operations that every contender replays: pairs (slot, size). What a slot holds is freed first;
 * size 0 leaves it empty, a negative size reallocates. A stream ends with every slot empty, so that it can be run again.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export interface Workload {
  readonly name: string;
  readonly ops: Int32Array<ArrayBuffer>;
  readonly slots: number;
  /** Blocks freed or reallocated: what the time is divided by. */
  readonly pairs: number;
  /** Most bytes live at once, as they were asked for. */
  readonly peakLive: number;
}

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

class Stream {
  readonly ops: number[] = [];
  readonly sizes: number[] = [];
  pairs = 0;
  live = 0;
  peakLive = 0;

  set(slot: number, size: number): void {
    this.#note(slot, size);
    this.ops.push(slot, size);
  }

  realloc(slot: number, size: number): void {
    this.#note(slot, size);
    this.ops.push(slot, -size);
  }

  finish(name: string): Workload {
    this.sizes.forEach((size, slot) => size > 0 && this.set(slot, 0));
    const { pairs, peakLive } = this;
    return { name, ops: Int32Array.from(this.ops), slots: this.sizes.length, pairs, peakLive };
  }

  #note(slot: number, size: number): void {
    const old = this.sizes[slot] ?? 0;
    if (old > 0) this.pairs++;
    this.sizes[slot] = size;
    this.live += size - old;
    this.peakLive = Math.max(this.peakLive, this.live);
  }
}

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

/** What a program really did, by its mtrace log. */
const trace =
  (name: string): Recipe =>
  (s) => {
    const log = gunzipSync(
      readFileSync(new URL(`../../../test/fixtures/traces/${name}.mt.gz`, import.meta.url)),
    );
    const slots = new Map<string, number>();
    const idle: number[] = [];
    let moved: number | undefined;
    for (const line of log.toString('latin1').split('\n')) {
      const [, op, ptr = '', size = '0'] =
        /^@ .* ([-+<>]) (0x[0-9a-f]+)(?: (0x[0-9a-f]+))?$/.exec(line) ?? [];
      const slot = slots.get(ptr);
      if (op === '+' || op === '>') {
        const to = moved ?? idle.pop() ?? s.sizes.length;
        slots.set(ptr, to);
        if (op === '>' && moved !== undefined) s.realloc(to, Math.max(1, Number(size)));
        else s.set(to, Math.max(1, Number(size)));
        moved = undefined;
      } else if (slot !== undefined) {
        slots.delete(ptr);
        if (op === '<') moved = slot;
        else {
          s.set(slot, 0);
          idle.push(slot);
        }
      }
    }
  };

export const recipes: Readonly<Record<string, Recipe>> = {
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
  sqlite3: trace('sqlite3'),
  perl: trace('perl'),
  cc1: trace('cc1'),
};

export function makeWorkload(name: string): Workload {
  const stream = new Stream();
  recipes[name]?.(stream, random(11));
  return stream.finish(name);
}
