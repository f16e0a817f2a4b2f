/** What concerns the disk under a heap's file. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { native } from '../native.js';
import { codeOf } from '../procfs/errors.js';

/** fallocate(2), or zeroes where the filesystem has none. The range was never used. */
export function allocate(fd: number, offset: number, length: number): void {
  try {
    native.libc.allocate_file(fd, offset, length);
  } catch (error) {
    if (codeOf(error) !== 'EOPNOTSUPP' && codeOf(error) !== 'ENOTSUP') throw error;
    const zeroes = Buffer.alloc(Math.min(length, 2 ** 20));
    for (let done = 0; done < length;) {
      done += writeSync(fd, zeroes, 0, Math.min(zeroes.length, length - done), offset + done);
    }
  }
}

/** Waits until the disk has the file's name. */
export function syncName(path: string): void {
  const fd = openSync(dirname(path), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
