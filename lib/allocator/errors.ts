/** The one place that makes the allocator's errors. */

export type HeapErrorCode =
  | 'ERR_MEMPROBE_HEAP_CORRUPT' // what the heap says of itself contradicts itself
  | 'ERR_MEMPROBE_BAD_POINTER' // not a block of this heap
  | 'ERR_MEMPROBE_DOUBLE_FREE' // a block that is free already
  | 'ERR_MEMPROBE_BAD_HEAP'; // a buffer that holds no such heap

/** Where the C library would abort the process. `offset`: the block or word in question, in bytes. */
export class HeapError extends Error {
  override readonly name = 'HeapError';

  constructor(
    readonly code: HeapErrorCode,
    readonly offset: number,
    message: string,
  ) {
    super(`${code}: ${message}`);
  }
}

/** A system error as Node words it; `errno` is negative. */
export class HeapSystemError extends Error {
  override readonly name = 'HeapSystemError';

  constructor(
    readonly code: 'EINVAL' | 'ENOMEM',
    readonly errno: number,
    readonly syscall: string,
    message: string,
  ) {
    super(`${code}: ${message}, ${syscall}`);
  }
}

export const invalid = (call: string, message: string): HeapSystemError =>
  new HeapSystemError('EINVAL', -22, call, message);

export const noMemory = (call: string, size: number): HeapSystemError =>
  new HeapSystemError('ENOMEM', -12, call, `the heap cannot grow by ${size} bytes within its limit`);

const at = (offset: number): string => `0x${offset.toString(16)}`;

export const corrupt = (offset: number, what: string): HeapError =>
  new HeapError(
    'ERR_MEMPROBE_HEAP_CORRUPT',
    offset,
    `${what}${offset > 0 ? `, at ${at(offset)}` : ''}: something wrote outside its block, or after free; check() after each step finds who`,
  );

export const badPointer = (offset: number, why: string): HeapError =>
  new HeapError(
    'ERR_MEMPROBE_BAD_POINTER',
    offset,
    `ptr ${at(offset)} ${why}: pass what malloc of this heap returned`,
  );

export const doubleFree = (offset: number): HeapError =>
  new HeapError('ERR_MEMPROBE_DOUBLE_FREE', offset, `the block at ${at(offset)} is free already`);

export const badHeap = (why: string): HeapError =>
  new HeapError('ERR_MEMPROBE_BAD_HEAP', 0, `${why}; a new heap wants a buffer of zeros`);

const coded = <E extends Error>(code: string, error: E): E & { code: string } =>
  Object.assign(error, { code });

/** What Node throws for a bad number: a TypeError or a RangeError that names the parameter. */
export function badNumber(name: string, value: unknown, wanted: string): Error {
  if (typeof value !== 'number') {
    return coded('ERR_INVALID_ARG_TYPE', new TypeError(`"${name}" must be a number, not a ${typeof value}`));
  }
  return coded('ERR_OUT_OF_RANGE', new RangeError(`"${name}" must be ${wanted}, not ${value}`));
}

export const badBuffer = (name: string, value: unknown): Error =>
  coded(
    'ERR_INVALID_ARG_TYPE',
    new TypeError(
      `"${name}" must be an ArrayBuffer or a SharedArrayBuffer, not ${value === null ? 'null' : `a ${typeof value}`}`,
    ),
  );

export const unsupported = (why: string): Error & { code: string } =>
  coded('ERR_MEMPROBE_UNSUPPORTED', new Error(`ERR_MEMPROBE_UNSUPPORTED: ${why}`));
