/**
 * What a disk may have of a file when the power goes. The kernel writes pages back when it likes: there is what the last barrier
 * put there, and of the words that were stored since then any, in any of their versions.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { onTestFinished } from 'vitest';

/** A word of the file, or for `at` -1 the file's length. */
interface Write {
  readonly at: number;
  readonly value: number;
}

/** From one barrier to the next. */
interface Epoch {
  readonly settled: Buffer;
  readonly writes: Write[];
}

/** A moment when the power may go: `count` of the epoch's writes have been made. `state` is what was going on. */
export interface Moment<State> {
  readonly epoch: Epoch;
  readonly count: number;
  readonly state: State;
}

const PAGE = 4096;

/** Looks at a file whenever it is told to, and keeps what changed since the last time. */
export class Disk<State> {
  readonly moments: Moment<State>[] = [];
  readonly #fd: number;
  #epoch: Epoch;
  /** The file as it was at the last look. */
  #seen: Buffer;

  constructor(
    path: string,
    public state: State,
  ) {
    this.#fd = openSync(path, 'r');
    onTestFinished(() => closeSync(this.#fd));
    this.#seen = this.#read();
    this.#epoch = { settled: this.#seen, writes: [] };
  }

  look(): void {
    const now = this.#read();
    const { writes } = this.#epoch;
    if (now.length !== this.#seen.length) writes.push({ at: -1, value: now.length });
    for (let page = 0; page < now.length; page += PAGE) {
      const there = now.subarray(page, page + PAGE);
      const before = this.#seen.subarray(page, page + PAGE);
      if (Buffer.compare(there, before) !== 0) writes.push(...differences(there, before, page));
    }
    this.#seen = now;
    this.#keep({ epoch: this.#epoch, count: writes.length, state: this.state });
  }

  /** A barrier has ended, for the first `length` bytes. */
  settle(length: number): void {
    this.look();
    const { settled, writes } = this.#epoch;
    const there = writes.filter(({ at }) => at < length);
    this.#epoch = { settled: apply(settled, there), writes: writes.filter(({ at }) => at >= length) };
    this.look();
  }

  #keep(moment: Moment<State>): void {
    const last = this.moments.at(-1);
    const isNew = moment.epoch !== last?.epoch || moment.count !== last.count || moment.state !== last.state;
    if (isNew) this.moments.push(moment);
  }

  #read(): Buffer {
    const bytes = Buffer.alloc(fstatSync(this.#fd).size);
    readSync(this.#fd, bytes, 0, bytes.length, 0);
    return bytes;
  }
}

function differences(now: Buffer, before: Buffer, offset: number): Write[] {
  const writes: Write[] = [];
  for (let at = 0; at < now.length; at += 4) {
    const value = now.readInt32LE(at);
    if (value !== (at < before.length ? before.readInt32LE(at) : 0)) writes.push({ at: offset + at, value });
  }
  return writes;
}

function apply(settled: Buffer, writes: readonly Write[]): Buffer {
  let bytes = Buffer.from(settled);
  for (const { at, value } of writes) {
    if (at === -1) bytes = Buffer.concat([bytes], value);
    else if (at + 4 <= bytes.length) bytes.writeInt32LE(value, at);
  }
  return bytes;
}

/** The file that is found: with the `chosen` of the writes that were made, the latest is 0, in this order; or with all but them. */
export function found({ epoch, count }: Moment<unknown>, chosen: readonly number[], others: boolean): Buffer {
  const made = epoch.writes.slice(0, count);
  const picked = count === 0 ? [] : chosen.map((each) => count - 1 - (each % count));
  const reached = others
    ? made.filter((_, i) => !picked.includes(i))
    : picked.flatMap((each) => made[each] ?? []);
  return apply(epoch.settled, reached);
}
