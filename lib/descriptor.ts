/** Descriptors that outlive the thread that opened them. */
import { closeSync, openSync, type PathLike } from 'node:fs';
import { native } from './native.js';

/**
 * openSync, of a descriptor that native code closes: a worker closes all that it opened with node:fs when it ends, also
 * those whose number is somebody else's by then.
 */
export function openDescriptor(path: PathLike, flags: number, mode?: number): number {
  const fd = openSync(path, flags, mode);
  try {
    return native.libc.duplicate_file(fd);
  } finally {
    closeSync(fd);
  }
}

/** `use` takes the descriptor over, unless it throws. */
export function handOver<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
