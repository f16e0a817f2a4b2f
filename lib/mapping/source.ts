/** Where a Mapping's memory comes from: made, or taken over from another holder. */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, type PathLike } from 'node:fs';
import { handOver } from '../descriptor.js';
import type { Address } from '../address.js';
import { native } from '../native.js';
import { checkOptions, integer, outOfRange, wrongType } from '../arguments.js';

const { libc, constants: c } = native;

/**
 * `write`: stores reach the file and everybody who maps it. `private`: stores stay in copies of the pages. `read`: the
 * same underneath, so that a stray store into a view changes this process's copy of the page and never the file, but
 * `write()` is refused.
 */
export type Access = 'read' | 'write' | 'private';

/** Names a mapping for `Mapping.attach` in any thread of this process. A plain object: send it with `postMessage`. */
export interface MappingHandle {
  readonly mapping: string;
}

/** What a mapping says of itself to those who attach. */
export interface About {
  readonly kind: 'anonymous' | 'file' | 'shared';
  readonly access: Access;
  /** Of a file its path, of shared memory its name. */
  readonly path?: string;
  /** In the file. */
  readonly offset: number;
}

/** A native hold of memory; the collector, or the end of its thread, lets it go. */
export interface Source {
  readonly held: unknown;
  readonly about: About;
}

export interface AnonymousOptions {
  /** Faults all pages in at once. */
  readonly populate?: boolean;
  /** No swap is set aside, so that it can be larger than memory. */
  readonly noReserve?: boolean;
  /** Remembers where it was made: Mapping.traceLeaks for one mapping. */
  readonly trace?: boolean;
}

export interface FileOptions extends Pick<AnonymousOptions, 'populate' | 'trace'> {
  readonly access: Access;
  /** Bytes; a multiple of the page size. */
  readonly offset?: number;
  /** Bytes; up to the end of the file unless told. With access `write` a file that is too short grows. */
  readonly length?: number;
  /** With access `write`: a file that is not there is made, with this mode (0o600). */
  readonly create?: boolean | number;
}

/** Of address space over a file that may be shorter. */
export interface ReservedOptions {
  readonly access: Access;
  /** What errors call the file. */
  readonly path: string;
  /** Exactly there, or EEXIST. */
  readonly address?: Address;
}

const READ_WRITE = c.PROT_READ | c.PROT_WRITE;

/**
 * Takes `fd` over, unless it throws. Between the two native calls no function is entered: there V8 would end a worker that
 * is terminated, and the memory would be nobody's.
 */
function make(length: number, flags: number, fd: number, about: About): Source {
  const told = JSON.stringify(about);
  const address = libc.mmap(0n, length, READ_WRITE, flags, fd, about.offset);
  try {
    return { held: libc.mapping_create(address, length, fd, told), about };
  } catch (error) {
    libc.munmap(address, length);
    throw error;
  }
}

function hold(address: Address, length: number, fd: number, about: About): Source {
  try {
    return { held: libc.mapping_create(address, length, fd, JSON.stringify(about)), about };
  } catch (error) {
    libc.munmap(address, length);
    throw error;
  }
}

const populate = (options: Pick<AnonymousOptions, 'populate'>): number =>
  options.populate === true ? c.MAP_POPULATE : 0;

const ANONYMOUS = ['populate', 'noReserve', 'trace'];
const FILE = ['access', 'offset', 'length', 'create', 'populate', 'trace'];

export function anonymous(bytes: number, options: AnonymousOptions): Source {
  checkOptions(options, ANONYMOUS);
  const flags = c.MAP_PRIVATE | c.MAP_ANONYMOUS | (options.noReserve === true ? c.MAP_NORESERVE : 0);
  const about: About = { kind: 'anonymous', access: 'private', offset: 0 };
  return make(integer('bytes', bytes, 1), flags | populate(options), -1, about);
}

export function shared(name: string, bytes: number, options: AnonymousOptions): Source {
  integer('bytes', bytes, 1);
  checkOptions(options, ANONYMOUS);
  return handOver(libc.memfd_create(name, c.MFD_CLOEXEC), (fd) => {
    ftruncateSync(fd, bytes);
    const flags = c.MAP_SHARED | (options.noReserve === true ? c.MAP_NORESERVE : 0) | populate(options);
    return make(bytes, flags, fd, { kind: 'shared', access: 'write', path: name, offset: 0 });
  });
}

export function file(path: PathLike, options: FileOptions): Source {
  checkOptions(options, FILE);
  const { access, offset = 0, create = false } = options;
  if (access !== 'read' && access !== 'write' && access !== 'private') {
    throw wrongType('options.access', "one of 'read', 'write', 'private'", access);
  }
  const page = libc.getpagesize();
  if (integer('options.offset', offset, 0) % page !== 0) {
    throw outOfRange('options.offset', `a multiple of the page size, ${page}`, offset);
  }
  const about: About = { kind: 'file', access, path: String(path), offset };
  const sharing = access === 'write' ? c.MAP_SHARED : c.MAP_PRIVATE;
  const fd = open(path, access, create);
  try {
    const length = fitted(fd, access, offset, options.length);
    return handOver(libc.duplicate_file(fd), (own) => make(length, sharing | populate(options), own, about));
  } finally {
    closeSync(fd);
  }
}

/** Does not wait for the other end of a FIFO. A worker that ends closes it, as it does everything of node:fs. */
function open(path: PathLike, access: Access, create: boolean | number): number {
  if (access !== 'write') return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const flags = constants.O_RDWR | constants.O_NONBLOCK | (create === false ? 0 : constants.O_CREAT);
  return openSync(path, flags, typeof create === 'number' ? create : 0o600);
}

/** The length to map; grows the file where it may. */
export function fitted(fd: number, access: Access, offset: number, wanted: number | undefined): number {
  const { size } = fstatSync(fd);
  if (wanted === undefined && size <= offset) {
    throw outOfRange(
      'options.length',
      `given: the file has ${size} bytes, none from offset ${offset} on`,
      wanted,
    );
  }
  const length =
    wanted === undefined
      ? size - offset
      : integer('options.length', wanted, 1, Number.MAX_SAFE_INTEGER - offset);
  if (offset + length <= size) return length;
  if (access !== 'write') {
    throw outOfRange(
      'options.length',
      `at most ${Math.max(size - offset, 0)}, up to the end of the file`,
      length,
    );
  }
  ftruncateSync(fd, offset + length);
  return length;
}

/**
 * Takes `fd` over; -1: memory alone. What lies beyond the file's end faults until the file grows; with access `private` it is memory of its
 * own, and the file's end is rounded up to a page.
 */
export function reserved(fd: number, bytes: number, options: ReservedOptions): Source {
  const { access, path, address = 0n } = options;
  const fixed = address === 0n ? 0 : c.MAP_FIXED_NOREPLACE;
  const about: About = { kind: fd === -1 ? 'anonymous' : 'file', access, path, offset: 0 };
  const map = (flags: number, of: number): Address =>
    libc.mmap(address, bytes, READ_WRITE, flags | fixed | c.MAP_NORESERVE, of, 0);
  if (access !== 'private') {
    return hold(map(access === 'write' ? c.MAP_SHARED : c.MAP_PRIVATE, fd), bytes, fd, about);
  }
  const start = map(c.MAP_PRIVATE | c.MAP_ANONYMOUS, -1);
  const size = fd === -1 ? 0 : Math.min(fstatSync(fd).size, bytes);
  if (size > 0) libc.mmap(start, size, READ_WRITE, c.MAP_PRIVATE | c.MAP_NORESERVE | c.MAP_FIXED, fd, 0);
  return hold(start, bytes, fd, about);
}

export function attach(handle: MappingHandle, options: Pick<AnonymousOptions, 'trace'>): Source {
  checkOptions(options, ['trace']);
  if (typeof handle !== 'object' || handle === null || typeof handle.mapping !== 'string') {
    throw wrongType('handle', 'what handle() of a Mapping returned', handle);
  }
  const held = libc.mapping_attach(handle.mapping);
  const about: About = JSON.parse(libc.mapping_state(held).about);
  return { held, about };
}
