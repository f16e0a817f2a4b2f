/** What a program really did, by its mtrace log: a workload. */
import { open } from 'node:fs/promises';
import { count } from '../format.js';
import { GREATER, LESS, type Line, MINUS, PLUS } from '../mtrace/line.js';
import { MtraceParser } from '../mtrace/parser.js';
import { readInto } from '../mtrace/read.js';
import { chunksOfFile } from '../mtrace/source.js';
import { type ParseOptions, reasonsOf } from '../mtrace/trace.js';
import { Stream, type Workload } from './stream.js';

export interface Recording {
  readonly workload: Workload;
  /** What of the log is not in the workload, or not in the log, in words. */
  readonly notes: string[];
}

/** Sizes are 31 bits in a stream. */
const LARGEST = 2 ** 31 - 1;

/**
 * Reads a log of mtrace(3), plain or gzip-packed. Frees of what was not allocated by the log, and calls that failed, are left
 * out; what an allocation finds at its address is freed first; what is left at the end is freed. Throws as `readMtrace` does.
 */
export async function readRecording(
  path: string,
  name: string,
  options: Pick<ParseOptions, 'signal' | 'progress'> = {},
): Promise<Recording> {
  const recorder = new Recorder();
  const parser = new MtraceParser(undefined, (call) => recorder.add(call));
  const file = await open(path);
  try {
    const stopped = await readInto(parser, chunksOfFile(file), options);
    return { workload: recorder.finish(name), notes: [...reasonsOf(parser, stopped), ...recorder.notes()] };
  } finally {
    await file.close();
  }
}

/** Turns addresses into slots. */
class Recorder {
  readonly #stream = new Stream();
  readonly #slots = new Map<number, number>();
  readonly #idle: number[] = [];
  /** What the first line of a realloc has named. */
  #moving: number | undefined;
  #tooLarge = 0;

  add({ operation, high, low, size }: Line): void {
    // Of at most 56 bits, and a multiple of 16: a double has it exactly.
    const address = (high >>> 0) * 2 ** 32 + (low >>> 0);
    const moving = this.#moving;
    this.#moving = undefined;
    if (operation === GREATER && address !== 0) return this.#allocate(address, size, moving);
    if (moving !== undefined) this.#empty(moving); // its second line is missing
    if (operation === PLUS && address !== 0) this.#allocate(address, size, undefined);
    else if (operation === LESS) this.#moving = this.#leave(address);
    else if (operation === MINUS) this.#empty(this.#leave(address));
  }

  finish(name: string): Workload {
    return this.#stream.finish(name);
  }

  *notes(): Generator<string> {
    if (this.#tooLarge > 0) yield `left out: ${count(this.#tooLarge, 'allocation')} of 2 GiB or more`;
  }

  #allocate(address: number, size: number, moving: number | undefined): void {
    this.#empty(this.#leave(address)); // its free is not in the log
    if (size > LARGEST) {
      this.#tooLarge++;
      return this.#empty(moving);
    }
    const slot = moving ?? this.#idle.pop() ?? this.#stream.sizes.length;
    this.#slots.set(address, slot);
    if (moving === undefined) this.#stream.set(slot, Math.max(1, size));
    else this.#stream.realloc(slot, Math.max(1, size));
  }

  /** The slot of the block at the address, which is there no more. */
  #leave(address: number): number | undefined {
    const slot = this.#slots.get(address);
    if (slot !== undefined) this.#slots.delete(address);
    return slot;
  }

  #empty(slot: number | undefined): void {
    if (slot === undefined) return;
    this.#stream.set(slot, 0);
    this.#idle.push(slot);
  }
}
