/** Memory that ends with the test. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  type Address,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
} from '../../lib/libc/index.js';

export const PAGE = 4096;
export const RW = PROT_READ | PROT_WRITE;
export const ANON = MAP_PRIVATE | MAP_ANONYMOUS;

export const page = (addr: Address, index: number): Address => addr + BigInt(index * PAGE);

/** Fresh pages of zeroes. The test may unmap them itself, or parts of them. */
export function anonymous(pages: number, prot = RW, flags = ANON): Address {
  const addr = mmap(0n, pages * PAGE, prot, flags, -1, 0);
  onTestFinished(() => {
    for (let i = 0; i < pages; i++) {
      try {
        munmap(page(addr, i), PAGE);
      } catch {
        // gone already
      }
    }
  });
  return addr;
}

/** Pages that nobody uses, in the middle of others that stay: an address for MAP_FIXED_NOREPLACE, and a hole. */
export function hole(pages: number): Address {
  const addr = anonymous(pages + 2);
  munmap(page(addr, 1), pages * PAGE);
  return page(addr, 1);
}

/** An open file of this size in a directory of its own, page `n` filled with byte n + 1. */
export function file(pages: number, flags = 'w+'): { fd: number; path: string } {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
  const path = join(directory, 'file');
  const fd = openSync(path, 'w+');
  ftruncateSync(fd, pages * PAGE);
  for (let i = 0; i < Math.min(pages, 250); i++)
    writeSync(fd, new Uint8Array(PAGE).fill(i + 1), 0, PAGE, i * PAGE);
  const opened = flags === 'w+' ? fd : openSync(path, flags);
  onTestFinished(() => {
    closeSync(fd);
    if (opened !== fd) closeSync(opened);
    rmSync(directory, { recursive: true });
  });
  return { fd: opened, path };
}

/** Descriptors that the test opened otherwise. */
export function closing(fd: number): number {
  onTestFinished(() => closeSync(fd));
  return fd;
}
