/** The one place that makes the errors of heaps in files; what the allocator finds comes as its HeapError. */
import { inspect } from 'node:util';
import { outOfRange, wrongType } from '../arguments.js';

export type HeapFileErrorCode =
  | 'ERR_MEMPROBE_BAD_HEAP' // the file is none of ours, of another version, machine or length
  | 'ERR_MEMPROBE_HEAP_CORRUPT' // it is, and contradicts itself
  | 'ERR_MEMPROBE_ADDRESS_TAKEN' // something else is where the heap should be
  | 'ERR_MEMPROBE_ROOT_TYPE' // a root is of another layout
  | 'ERR_MEMPROBE_BAD_POINTER'
  | 'ERR_MEMPROBE_READ_ONLY'
  | 'ERR_MEMPROBE_UNSUPPORTED'
  | 'ERR_MEMPROBE_CLOSED';

export class HeapFileError extends Error {
  override readonly name = 'HeapFileError';

  constructor(
    readonly code: HeapFileErrorCode,
    message: string,
  ) {
    super(`${code}: ${message}`);
  }
}

/** Another process, or another opener in this one, writes the heap. `pid` is its. */
export class HeapBusyError extends Error {
  override readonly name = 'HeapBusyError';
  readonly code = 'EWOULDBLOCK';
  readonly errno = -11;
  readonly syscall = 'flock';

  constructor(
    path: string,
    readonly pid: number,
  ) {
    super(
      `EWOULDBLOCK: ${path} is open for writing in ${pid === process.pid ? 'this process' : `process ${pid}`}; ` +
        "wait until it is closed, or attach with mode 'read' or 'copy-on-write', flock",
    );
  }
}

export const badHeap = (path: string, why: string): HeapFileError =>
  new HeapFileError('ERR_MEMPROBE_BAD_HEAP', `${path} ${why}; it was not touched`);

export const corruptFile = (path: string, why: string): HeapFileError =>
  new HeapFileError(
    'ERR_MEMPROBE_HEAP_CORRUPT',
    `${path}: ${why}. 'memprobe heap --salvage' copies what is readable`,
  );

export const closed = (): HeapFileError =>
  new HeapFileError('ERR_MEMPROBE_CLOSED', 'this Heap was closed; attach it again');

export const readOnly = (): HeapFileError =>
  new HeapFileError(
    'ERR_MEMPROBE_READ_ONLY',
    "this Heap was attached with mode 'read'; 'write' changes the file, 'copy-on-write' a copy",
  );

export const badPointer = (ptr: unknown): HeapFileError =>
  new HeapFileError('ERR_MEMPROBE_BAD_POINTER', `${inspect(ptr)} is no live block of this heap`);

export function text(name: string, value: unknown, most: number): string {
  if (typeof value !== 'string') throw wrongType(name, 'of type string', value);
  if (Buffer.byteLength(value) <= most && !value.includes('\0')) return value;
  throw outOfRange(name, `at most ${most} bytes without NUL`, value);
}
