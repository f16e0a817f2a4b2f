/** The memory under a heap, and how it grows: in place, so that offsets stay. */
import { badBuffer, badHeap, badNumber } from './errors.js';
import type { Words } from './layout.js';

/** A WebAssembly.Memory, as far as it is needed: neither Node's types nor ES's have it. */
export interface GrowingMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  grow(pages: number): number;
}

interface WebAssemblyLike {
  Memory: new (pages: { initial: number; maximum: number }) => GrowingMemory;
}

/** Memory that grows in place, such as a file under its mapping, and a buffer over it that may be longer. */
export interface Room {
  /** Another object where the one before has become too short; both are over the same memory. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Bytes. */
  readonly length: number;
  /** More or less of it; false if that is not to be had. */
  resize(bytes: number): boolean;
}

export interface HeapOptions {
  /** The heap lives in it: a heap that is there is continued, in zeros a new one starts. Grows if it is resizable. */
  buffer?: ArrayBuffer | SharedArrayBuffer;
  /** The same with a WebAssembly.Memory, shared or not. */
  memory?: GrowingMemory;
  /** Asked for a longer buffer with the same first bytes; undefined where there is none. */
  grow?: (bytes: number) => ArrayBuffer | SharedArrayBuffer | undefined;
  /** The heap lives there, instead of in `buffer`. */
  room?: Room;
  /** The heap in the buffer is known to be whole: it is taken up without a look at its blocks. */
  trusted?: boolean;
  /** Bytes that the heap may grow to; by default what its memory can, and 4 GiB where it makes its own. */
  limit?: number;
  /** Of every block: 8, what views of JavaScript need, or 16, as x86-64's glibc. */
  alignment?: 8 | 16;
}

const PAGE = 65536;
const GIB = 2 ** 30;
/** Units are 31 bits, and so is their number: the last two of 16 GiB can't be used. */
export const MOST_BYTES = 16 * GIB;
const MOST_USED = MOST_BYTES - 16;
export const LEAST_BYTES = 8192;

type Bytes = ArrayBuffer | SharedArrayBuffer;

/** A buffer, and what is known of how to make it longer. */
export class Backing {
  readonly limit: number;
  readonly #memory: GrowingMemory | undefined;
  readonly #grow: HeapOptions['grow'];
  readonly #room: Room | undefined;
  #buffer: Bytes;

  constructor({ buffer, memory, grow, room, limit }: HeapOptions) {
    if (buffer !== undefined && !isBuffer(buffer)) throw badBuffer('buffer', buffer);
    const asked = limit ?? MOST_BYTES;
    if (!Number.isInteger(asked) || asked < LEAST_BYTES || asked > MOST_BYTES) {
      throw badNumber('limit', limit, `an integer from ${LEAST_BYTES} to ${MOST_BYTES}`);
    }
    const given = buffer ?? room?.buffer;
    this.#memory =
      memory ?? (given === undefined && grow === undefined ? ownMemory(Math.min(asked, 4 * GIB)) : undefined);
    this.#grow = grow;
    this.#room = room;
    this.#buffer = given ?? this.#memory?.buffer ?? grow?.(Math.min(asked, PAGE)) ?? new ArrayBuffer(0);
    this.limit = Math.min(asked, MOST_BYTES);
    if (this.#buffer.byteLength < Math.min(LEAST_BYTES, this.limit)) {
      throw badHeap(
        `the buffer of ${this.#buffer.byteLength} bytes is detached or too small: ${LEAST_BYTES} are the least`,
      );
    }
  }

  get buffer(): Bytes {
    return this.#memory?.buffer ?? this.#room?.buffer ?? this.#buffer;
  }

  /** Bytes that the heap may use now. */
  get length(): number {
    return Math.min(this.#room?.length ?? this.buffer.byteLength, this.limit, MOST_USED);
  }

  view(): Words {
    return new Int32Array(this.buffer, 0, 2 * Math.floor(this.length / 8));
  }

  /** Makes room for `bytes` in all, with an eighth to spare if that is to be had; false if there is no room. */
  reach(bytes: number): boolean {
    if (bytes > this.limit) return false;
    const ample = Math.min(this.limit, Math.max(bytes, Math.floor(this.length * 1.125)));
    return this.#extend(ample) || this.#extend(bytes);
  }

  /** Gives back what lies beyond `bytes`. */
  shrink(bytes: number): boolean {
    const buffer: Bytes & Growing = this.buffer;
    const whole = Math.max(LEAST_BYTES, bytes);
    if (this.#room !== undefined) return whole < this.#room.length && this.#room.resize(whole);
    if (this.#memory !== undefined || buffer.resizable !== true || whole >= buffer.byteLength) return false;
    buffer.resize?.(whole);
    return true;
  }

  #extend(bytes: number): boolean {
    const { buffer } = this;
    if (this.#room !== undefined) return bytes <= this.#room.length || this.#room.resize(bytes);
    const missing = bytes - buffer.byteLength;
    if (missing <= 0) return true;
    try {
      if (this.#memory !== undefined) this.#memory.grow(Math.ceil(missing / PAGE));
      else if (this.#grow !== undefined) this.#buffer = longer(this.#grow(bytes), bytes);
      else return resize(buffer, bytes);
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }
}

function isBuffer(value: unknown): boolean {
  return (
    value instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer === 'function' && value instanceof SharedArrayBuffer)
  );
}

/** Reserves addresses only: pages are had from the system as they are touched. */
function ownMemory(limit: number): GrowingMemory {
  const wasm: WebAssemblyLike = Reflect.get(globalThis, 'WebAssembly');
  return new wasm.Memory({ initial: 1, maximum: Math.ceil(limit / PAGE) });
}

interface Growing {
  resizable?: boolean;
  growable?: boolean;
  maxByteLength?: number;
  resize?(bytes: number): void;
  grow?(bytes: number): void;
}

function resize(buffer: Bytes & Growing, bytes: number): boolean {
  if (bytes > (buffer.maxByteLength ?? 0)) return false;
  if (buffer.resizable === true) buffer.resize?.(bytes);
  else if (buffer.growable === true) buffer.grow?.(bytes);
  return buffer.byteLength >= bytes;
}

function longer(buffer: Bytes | undefined, bytes: number): Bytes {
  if (buffer === undefined || buffer.byteLength < bytes)
    throw new RangeError('the callback has no longer buffer');
  return buffer;
}
