/** Opening heaps: files are looked at before anything is mapped, locked before anything is written. */
import { constants as buffers } from 'node:buffer';
import { randomInt } from 'node:crypto';
import { constants, fstatSync, fsyncSync, ftruncateSync, readFileSync, readSync, writeSync } from 'node:fs';
import { handOver, openDescriptor } from '../descriptor.js';
import { native } from '../native.js';
import { Mapping } from '../mapping/mapping.js';
import { parseMaps } from '../procfs/maps.js';
import { codeOf } from '../procfs/errors.js';
import { syncName } from './disk.js';
import { badHeap, HeapBusyError, HeapFileError } from './errors.js';
import { decode, encode, type Facts, HEADER_BYTES, LENGTH, plan, WRITER } from './header.js';
import { Region } from './region.js';

/** `write`: stores reach the file. `copy-on-write`: they stay in this process. */
export type HeapMode = 'write' | 'read' | 'copy-on-write';

/** Where a heap is mapped: where it was at first if that is free, exactly there, or wherever the kernel likes. */
export type Place = 'recorded' | 'exactly' | 'anywhere';

/** `base` as in createIn. */
export function inMemory(limit: number, name: string, base = 0n): Region {
  const facts = plan(limit, name, 0n);
  const mapping = placed(-1, { path: 'memory', access: 'private' }, facts, base);
  mapping.write(0, encode({ ...facts, base: mapping.address }));
  return new Region(mapping, { ...facts, base: mapping.address }, 'memory');
}

/** A new heap in the empty file `fd`, which is taken over. `base` 0n: a place of our choice. */
export function createIn(
  fd: number,
  path: string,
  limit: number,
  name: string,
  base: bigint,
  sync = false,
): Region {
  return handOver(fd, () => {
    lock(fd, path);
    if (fstatSync(fd).size !== 0) throw exists(path);
    const planned = plan(limit, name, 0n);
    const mapping = placed(fd, { path, access: 'write' }, planned, base);
    try {
      const facts = { ...planned, base: mapping.address };
      writeSync(fd, encode(facts), 0, HEADER_BYTES, 0);
      if (sync) fsyncSync(fd);
      ftruncateSync(fd, facts.arenaAt);
      return new Region(mapping, facts, 'file', sync);
    } catch (error) {
      ftruncateSync(fd, 0);
      throw error;
    }
  });
}

export function create(path: string, limit: number, name: string, sync: boolean): Region {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK;
  const fd = openDescriptor(path, flags, 0o600);
  if (sync) handOver(fd, () => syncName(path));
  return createIn(fd, path, limit, name, 0n, sync);
}

export function attach(path: string, mode: HeapMode, sync: boolean): Region {
  const access = mode === 'write' ? constants.O_RDWR : constants.O_RDONLY;
  return attachTo(openDescriptor(path, access | constants.O_NONBLOCK), path, mode, 'recorded', sync);
}

/** The heap in the file `fd`, which is taken over. */
export function attachTo(fd: number, path: string, mode: HeapMode, place: Place, sync = false): Region {
  return handOver(fd, () => {
    const { facts, writer } = look(fd, path);
    if (mode === 'write') lock(fd, path, writer);
    checkLength(fd, path, facts, mode);
    const bytes = facts.arenaAt + facts.limit;
    const access = mode === 'copy-on-write' ? 'private' : mode;
    const ground = mode === 'write' ? 'file' : mode === 'read' ? 'fixed' : 'memory';
    return new Region(mapped(fd, { path, access }, bytes, facts.base, place), facts, ground, sync);
  });
}

/** Reads the header, and touches nothing. */
export function look(fd: number, path: string): { facts: Facts; writer: number; length: number } {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw badHeap(path, 'is no regular file');
  const bytes = Buffer.alloc(HEADER_BYTES);
  const facts = decode(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)), path);
  const word = (index: number): number => bytes.readInt32LE(4 * index);
  return { facts, writer: word(WRITER), length: word(LENGTH) * 4096 };
}

function checkLength(fd: number, path: string, { arenaAt, limit }: Facts, mode: HeapMode): void {
  const { length } = look(fd, path);
  const { size } = fstatSync(fd);
  if (length > limit || length < 0)
    throw badHeap(path, `says a length of ${length}, beyond its limit of ${limit}`);
  checkFits(path, length);
  if (length === 0 && mode !== 'write')
    throw badHeap(path, "was not finished by whoever made it, which attaching with mode 'write' does");
  if (length === 0) ftruncateSync(fd, arenaAt);
  else if (size < arenaAt + length)
    throw badHeap(path, `is truncated: ${size} bytes are left of ${arenaAt + length}`);
}

/** Throws for what no ArrayBuffer here can have. */
export function checkFits(path: string, length: number): void {
  if (length <= buffers.MAX_LENGTH) return;
  throw new HeapFileError(
    'ERR_MEMPROBE_UNSUPPORTED',
    `${path} has ${length} bytes, and an ArrayBuffer of this Node ${buffers.MAX_LENGTH} at most; Node 22 and later have longer ones`,
  );
}

interface Access {
  readonly path: string;
  readonly access: 'write' | 'read' | 'private';
}

export function mapped(fd: number, access: Access, bytes: number, base: bigint, place: Place): Mapping {
  if (place === 'anywhere') return Mapping.reserved(fd, bytes, access);
  try {
    return Mapping.reserved(fd, bytes, { ...access, address: base });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOMEM') throw error;
    if (place === 'exactly') throw taken(access.path, base, bytes, error);
    return Mapping.reserved(fd, bytes, access);
  }
}

/** A new heap's mapping: exactly at `base`, or for 0n where it will most likely be free in the next process too. */
function placed(fd: number, access: Access, { arenaAt, limit }: Facts, base: bigint): Mapping {
  return base === 0n
    ? mapped(fd, access, arenaAt + limit, likelyFree(arenaAt), 'recorded')
    : mapped(fd, access, arenaAt + limit, base, 'exactly');
}

const ALIGNED = 2 ** 21;

/**
 * Between V8's random places (below 64 TiB) and programs and libraries (from 85 TiB on), so that the arena begins at a
 * multiple of 2 MiB. Where address space is smaller, the kernel chooses.
 */
export function likelyFree(arenaAt: number): bigint {
  const before = arenaAt % ALIGNED === 0 ? 0 : ALIGNED - (arenaAt % ALIGNED);
  return (BigInt(randomInt(0x10_0000)) << 24n) + 0x4000_0000_0000n + BigInt(before);
}

function lock(fd: number, path: string, writer = 0): void {
  try {
    native.libc.lock_file(fd);
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') throw new HeapBusyError(path, writer);
    throw error;
  }
}

function exists(path: string): Error {
  const message = `EEXIST: ${path} is not empty; attach it, or create the heap in another file`;
  return Object.assign(new Error(message), { code: 'EEXIST', errno: -17, syscall: 'open', path });
}

function taken(path: string, base: bigint, bytes: number, cause: unknown): Error {
  const end = base + BigInt(bytes);
  const hex = (address: bigint): string => `0x${address.toString(16)}`;
  const there = parseMaps(readFileSync('/proc/self/maps'))
    .filter((each) => each.start < end && base < each.end)
    .map((each) => `${hex(each.start)}-${hex(each.end)} ${each.path || 'anonymous memory'}`);
  const what = there.length === 0 ? 'address space that is not to be had' : there.slice(0, 3).join(', ');
  return Object.assign(
    new HeapFileError(
      'ERR_MEMPROBE_ADDRESS_TAKEN',
      `${path} belongs at ${hex(base)}-${hex(end)}, where there is ${what}; relocate: true attaches it elsewhere`,
    ),
    { cause },
  );
}

/** A process of this number is alive, whoever it is. */
export function isRunning(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
