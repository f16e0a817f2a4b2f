/** The bytes of a heap: a mapping of the whole reserved address space, of which the file or memory covers a part. */
import { constants } from 'node:buffer';
import { ftruncateSync } from 'node:fs';
import type { Room } from '../allocator/backing.js';
import type { Mapping } from '../mapping/mapping.js';
import { codeOf } from '../procfs/errors.js';
import { allocate } from './disk.js';
import { type Facts, HEADER_BYTES, lengthOf, setLength } from './header.js';

/** What lies under the arena: a file that grows with it, memory of its own, or a file that only others change. */
export type Ground = 'file' | 'memory' | 'fixed';

/** The file grows by whole steps. */
const STEP = 65_536;
const WINDOW = 2 ** 20;
const up = (bytes: number, unit: number): number => Math.ceil(bytes / unit) * unit;

export class Region implements Room {
  readonly header: Int32Array;
  live: Int32Array;
  /** The arena, in 32-bit words, and under them. */
  words: Int32Array;
  buffer: ArrayBuffer;
  /** Bytes that an ArrayBuffer here can have of the arena: 4 GiB on Node 20. */
  readonly limit: number;
  /** Why it did not grow the last time: no space on the disk. */
  failure: Error | undefined;
  #lost: unknown;
  /** Kept until the end: the mapping can't close while the garbage collector has one in hand. */
  readonly #windows: ArrayBufferLike[] = [];
  /** Called when `live`, `words` and `buffer` are other objects than before. */
  moved: () => void = () => undefined;

  constructor(
    readonly mapping: Mapping,
    readonly facts: Facts,
    readonly ground: Ground,
    /** Each step is on the disk before the next. */
    readonly sync = false,
  ) {
    this.limit = Math.min(facts.limit, constants.MAX_LENGTH);
    this.header = new Int32Array(mapping.view(0, facts.headerSize).buffer, 0, HEADER_BYTES / 4);
    [this.buffer, this.words, this.live] = this.#window(WINDOW);
  }

  /** Bytes of the arena that are there. */
  get length(): number {
    return lengthOf(this.header);
  }

  get address(): bigint {
    return this.mapping.address + BigInt(this.facts.arenaAt);
  }

  resize(bytes: number): boolean {
    const wanted = Math.min(this.limit, up(bytes, STEP));
    if (wanted < bytes || this.ground === 'fixed') return false;
    if (wanted > this.length) return this.#extend(wanted);
    if (wanted === this.length) return false;
    setLength(this.header, wanted);
    this.settle();
    if (this.ground === 'file') ftruncateSync(this.mapping.fd, this.facts.arenaAt + wanted);
    return true;
  }

  /** Waits for the disk, where each step is to be there before the next: what was stored so far never comes behind what follows. */
  settle(length = this.length): void {
    if (!this.sync) return;
    if (this.#lost !== undefined) throw this.#lost;
    try {
      this.mapping.flush(0, this.facts.arenaAt + length);
    } catch (error) {
      this.#lost = error; // the kernel tells only once, and takes what it lost for written
      throw error;
    }
  }

  /** Sees all that is there: it may have grown, perhaps in another process, and at first only its beginning is seen. */
  follow(): void {
    const { length } = this;
    if (length <= this.buffer.byteLength || length > this.limit) return;
    [this.buffer, this.words, this.live] = this.#window(2 ** Math.ceil(Math.log2(length)));
    this.moved();
  }

  /** V8 counts views as its own memory, and collects garbage for that: so not of all that is reserved, and not before it is used. */
  #window(wanted: number): [ArrayBuffer, Int32Array, Int32Array] {
    const { headerSize, arenaAt } = this.facts;
    const bytes = Math.min(this.limit, Math.max(WINDOW, wanted));
    const { buffer } = this.mapping.view(arenaAt, bytes);
    if (!(buffer instanceof ArrayBuffer)) throw new TypeError('a view of a Mapping is over an ArrayBuffer');
    const live = this.mapping.view(headerSize, Math.ceil(bytes / 256) * 4);
    this.#windows.push(buffer, live.buffer);
    return [buffer, new Int32Array(buffer), new Int32Array(live.buffer)];
  }

  /** The file first, then what the header says of it. */
  #extend(wanted: number): boolean {
    this.failure = undefined;
    if (this.ground === 'file' && !this.#allocate(wanted)) return false;
    this.settle(wanted);
    setLength(this.header, wanted);
    this.settle();
    this.follow();
    return true;
  }

  /** Has the disk's blocks now: a store must not find out that there are none. */
  #allocate(wanted: number): boolean {
    const { headerSize, arenaAt } = this.facts;
    const { length } = this;
    try {
      allocate(this.mapping.fd, headerSize + Math.floor(length / 64), Math.ceil((wanted - length) / 64));
      allocate(this.mapping.fd, arenaAt + length, wanted - length);
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (!(error instanceof Error) || (code !== 'ENOSPC' && code !== 'EDQUOT' && code !== 'EFBIG'))
        throw error;
      this.failure = error;
      ftruncateSync(this.mapping.fd, arenaAt + length);
      return false;
    }
  }
}
