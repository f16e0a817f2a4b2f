/** Descriptors: which heap a call means, and what went wrong there last. */
import { readlinkSync, constants as flags, fstatSync } from 'node:fs';
import { openDescriptor } from '../descriptor.js';
import { constants } from 'node:os';
import type { Address } from '../address.js';
import { integer, wrongType } from '../arguments.js';
import { codeOf } from '../procfs/errors.js';
import { Heap } from '../heap/heap.js';
import { MOST } from '../heap/header.js';
import * as open from '../heap/open.js';
import { BreakGround } from './break.js';
import { type Ground, MappedGround } from './ground.js';

/** What mmalloc_attach returns. `heap` is the same heap as an object, with its roots and views. */
export class MmallocDescriptor {
  /** @internal */
  readonly ground: Ground;
  /** @internal errno of the last failure; 0: none yet. */
  errno = 0;
  /** @internal What mmcheck was told to call. */
  abort: (() => void) | undefined;

  /** @internal */
  constructor(readonly heap: Heap | undefined) {
    this.ground = heap === undefined ? new BreakGround() : new MappedGround(heap);
  }
}

/** A descriptor, or null for the default heap. */
export type Md = MmallocDescriptor | null;

let breakHeap: MmallocDescriptor | undefined;
const errnos: Record<string, number> = constants.errno;

export function descriptorOf(md: Md): MmallocDescriptor {
  if (md === null) return (breakHeap ??= new MmallocDescriptor(undefined));
  if (md instanceof MmallocDescriptor) return md;
  throw wrongType('md', 'what mmalloc_attach returned, or null', md);
}

/** Does `work` on the heap; what it throws leaves its errno behind. */
export function on<T>(md: Md, work: (descriptor: MmallocDescriptor) => T): T {
  const descriptor = descriptorOf(md);
  try {
    return work(descriptor);
  } catch (error) {
    descriptor.errno = errnos[String(codeOf(error))] ?? constants.errno.EINVAL;
    throw error;
  }
}

export interface AttachOptions {
  /** Bytes that a new heap may grow to, for good; 4 GiB. */
  readonly limit?: number;
  /** Where the recorded base is taken: elsewhere. Addresses are other ones then. */
  readonly relocate?: boolean;
}

const LIMIT = 4 * 2 ** 30;
const LEAST = 65_536;

export function attach(fd: number, base: Address, options: AttachOptions): Heap {
  const { limit = LIMIT, relocate = false } = options;
  integer('options.limit', limit, LEAST, MOST);
  if (!isOpen(fd)) return Heap.over(open.inMemory(limit, '', base), 'write', 'memory');
  const path = readlinkSync(`/proc/self/fd/${fd}`);
  // A description of our own: its lock, and its end, are the heap's.
  const own = openDescriptor(`/proc/self/fd/${fd}`, flags.O_RDWR | flags.O_NONBLOCK);
  const region =
    fstatSync(own).size === 0 && fstatSync(own).isFile()
      ? open.createIn(own, path, limit, '', base)
      : open.attachTo(own, path, 'write', relocate ? 'recorded' : 'exactly');
  return Heap.over(region, 'write', path);
}

function isOpen(fd: number): boolean {
  if (fd < 0) return false;
  try {
    fstatSync(fd);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EBADF') return false;
    throw error;
  }
}
