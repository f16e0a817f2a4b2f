import { ftruncateSync, type PathLike } from 'node:fs';
import type { Address } from '../address.js';
import { native } from '../native.js';
import { integer, outOfRange, wrongType } from '../arguments.js';
import { closed, faulted, readOnly } from './errors.js';
import * as leaks from './leaks.js';
import * as source from './source.js';
import type { About, Access, AnonymousOptions, FileOptions, MappingHandle, Source } from './source.js';

const { libc, promises, constants: c } = native;

const ADVICE = {
  normal: c.MADV_NORMAL,
  random: c.MADV_RANDOM,
  sequential: c.MADV_SEQUENTIAL,
  willneed: c.MADV_WILLNEED,
  dontneed: c.MADV_DONTNEED,
  free: c.MADV_FREE,
  cold: c.MADV_COLD,
  pageout: c.MADV_PAGEOUT,
  hugepage: c.MADV_HUGEPAGE,
  nohugepage: c.MADV_NOHUGEPAGE,
  populate: c.MADV_POPULATE_WRITE,
};
export type Advice = keyof typeof ADVICE;

const PROTECTION = { none: c.PROT_NONE, read: c.PROT_READ, write: c.PROT_READ | c.PROT_WRITE };
export type Protection = keyof typeof PROTECTION;

/** Bytes of whole pages. */
export interface Residency {
  readonly total: number;
  readonly resident: number;
}

/** A buffer in use keeps the Mapping that owns its memory. */
const owners = new WeakMap<ArrayBuffer, Mapping>();

/**
 * Memory that belongs to an object: anonymous, of a file, or shared. Lengths and offsets are bytes. Views are detached
 * before the memory goes, moves or changes its protection; `read` and `write` copy and work always. What was not closed
 * goes when the last view and the Mapping itself have been collected. Other threads `attach` to it by its `handle()`; the
 * memory goes when the last holder has let go. Methods ending in Async run off the event loop, otherwise the same.
 * Throws `ERR_MEMPROBE_CLOSED` after `close`, `ERR_MEMPROBE_FAULTED` once `faulted`, EBUSY while a call in progress,
 * another thread's view, or a view that was collected within this turn of the event loop is in the way, and what the
 * kernel says as Node system errors. Linux 3.17.
 */
export class Mapping implements Disposable {
  /** Warns of mappings that are collected without having been closed, and says where they were made. Costs a stack each. */
  static traceLeaks = false;

  /** Fresh zeroes. */
  static anonymous(bytes: number, options: AnonymousOptions = {}): Mapping {
    return Mapping.#traced(new Mapping(source.anonymous(bytes, options)), options, Mapping.anonymous);
  }

  /** A file, or a part of it. ERR_OUT_OF_RANGE for an empty one without `length`. */
  static file(path: PathLike, options: FileOptions): Mapping {
    return Mapping.#traced(new Mapping(source.file(path, options)), options, Mapping.file);
  }

  /** Memory with a descriptor (`fd`) that other processes can map. `name` shows in /proc/PID/maps. @see memfd_create(2) */
  static shared(name: string, bytes = libc.getpagesize(), options: AnonymousOptions = {}): Mapping {
    return Mapping.#traced(new Mapping(source.shared(name, bytes, options)), options, Mapping.shared);
  }

  /** @internal Address space over an open file, which is taken over and grows under it. EEXIST: the address is taken. */
  static reserved(fd: number, bytes: number, options: source.ReservedOptions): Mapping {
    return new Mapping(source.reserved(fd, bytes, options));
  }

  /** The same memory, for this thread too. `ERR_MEMPROBE_STALE_HANDLE` when its last holder has let go. */
  static attach(handle: MappingHandle, options: Pick<AnonymousOptions, 'trace'> = {}): Mapping {
    return Mapping.#traced(new Mapping(source.attach(handle, options)), options, Mapping.attach);
  }

  static #traced(
    mapping: Mapping,
    { trace = Mapping.traceLeaks }: { trace?: boolean },
    made: (...args: never[]) => Mapping,
  ): Mapping {
    if (trace) leaks.trace(mapping, [mapping.kind, mapping.path, 'of', mapping.length, 'bytes'], made);
    return mapping;
  }

  readonly #held: unknown;
  readonly #about: About;
  #address: Address;
  #length: number;
  #bytes: Uint8Array | undefined;
  #closed = false;
  /** The descriptor behind it, -1 for anonymous memory. It goes with the memory: do not close it. */
  readonly fd: number;

  private constructor(source: Source) {
    // Where types don't hinder anybody.
    if (source?.held === undefined)
      throw wrongType(
        'source',
        'given by Mapping.anonymous, file, shared or attach, which make a Mapping',
        source,
      );
    const { held, about } = source;
    const state = libc.mapping_state(held);
    this.#held = held;
    this.#about = about;
    this.#address = state.address;
    this.#length = state.length;
    this.fd = state.fd;
  }

  get kind(): About['kind'] {
    return this.#about.kind;
  }
  get access(): Access {
    return this.#about.access;
  }
  /** The file, or the name of shared memory. */
  get path(): string | undefined {
    return this.#about.path;
  }
  /** In the file. */
  get offset(): number {
    return this.#about.offset;
  }
  get address(): Address {
    return this.#address;
  }
  get length(): number {
    return this.#length;
  }
  get closed(): boolean {
    return this.#closed;
  }
  /** An access found pages missing: the file was truncated, or its filesystem is full. Zeroes stand there. */
  get faulted(): boolean {
    return libc.mapping_faulted(this.#held);
  }

  /** All of it, without a copy. `ERR_OUT_OF_RANGE` beyond `buffer.constants.MAX_LENGTH` (4 GiB on Node 20): take a `view`. */
  get buffer(): ArrayBuffer {
    return this.#window(0, this.#length);
  }
  get bytes(): Uint8Array {
    const buffer = this.buffer;
    if (this.#bytes?.buffer !== buffer) this.#bytes = new Uint8Array(buffer);
    return this.#bytes;
  }
  /** A part of it, without a copy. */
  view(offset = 0, length = this.#length - offset): Uint8Array {
    const [start, bytes] = this.#part(offset, length);
    return new Uint8Array(this.#window(start, bytes));
  }

  /** A copy of a part. EFAULT where pages of the file are missing. */
  read(offset = 0, length = this.#length - offset): Uint8Array {
    return libc.peek(...this.#range(offset, length));
  }
  async readAsync(offset = 0, length = this.#length - offset): Promise<Uint8Array> {
    return promises.peek(...this.#range(offset, length));
  }

  write(offset: number, bytes: Uint8Array): void {
    libc.poke(...this.#target(offset, bytes));
  }
  async writeAsync(offset: number, bytes: Uint8Array): Promise<void> {
    return promises.poke(...this.#target(offset, bytes));
  }

  /** Writes changes back to the file, and waits for the disk. @see msync(2) */
  flush(offset = 0, length = this.#length - offset): void {
    libc.msync(...this.#pages(offset, length), c.MS_SYNC);
  }
  async flushAsync(offset = 0, length = this.#length - offset): Promise<void> {
    return promises.msync(...this.#pages(offset, length), c.MS_SYNC);
  }

  /**
   * Another length; the memory may move. The file grows with it where `access` is `write`, shared memory shrinks too.
   * EBUSY while others hold it. @see mremap(2)
   */
  resize(length: number): void {
    this.#makeRoom(length);
    this.#moved(libc.mapping_resize(this.#held, length), length);
  }
  async resizeAsync(length: number): Promise<void> {
    this.#makeRoom(length);
    this.#moved(await promises.mapping_resize(this.#held, length), length);
  }

  /** What a later access may do: `none`, `read`, `write` (all). Views need `write`. @see mprotect(2) */
  protect(protection: Protection): void {
    libc.mprotect(...this.#range(0, this.#length), named(PROTECTION, 'protection', protection));
  }
  async protectAsync(protection: Protection): Promise<void> {
    return promises.mprotect(...this.#range(0, this.#length), named(PROTECTION, 'protection', protection));
  }

  /** `offset` on a page boundary, or EINVAL. @see madvise(2) */
  advise(advice: Advice, offset = 0, length = this.#length - offset): void {
    libc.madvise(...this.#range(offset, length), named(ADVICE, 'advice', advice));
  }
  async adviseAsync(advice: Advice, offset = 0, length = this.#length - offset): Promise<void> {
    return promises.madvise(...this.#range(offset, length), named(ADVICE, 'advice', advice));
  }

  /** Keeps it in memory; ENOMEM beyond RLIMIT_MEMLOCK. @see mlock(2) */
  lock(offset = 0, length = this.#length - offset): void {
    libc.mlock(...this.#range(offset, length));
  }
  async lockAsync(offset = 0, length = this.#length - offset): Promise<void> {
    return promises.mlock(...this.#range(offset, length));
  }
  unlock(offset = 0, length = this.#length - offset): void {
    libc.munlock(...this.#range(offset, length));
  }
  async unlockAsync(offset = 0, length = this.#length - offset): Promise<void> {
    return promises.munlock(...this.#range(offset, length));
  }

  /** How much of it is in memory; of a file that may not be written all of it, says the kernel. @see mincore(2) */
  residency(offset = 0, length = this.#length - offset): Residency {
    return counted(libc.mincore(...this.#pages(offset, length)));
  }
  async residencyAsync(offset = 0, length = this.#length - offset): Promise<Residency> {
    return counted(await promises.mincore(...this.#pages(offset, length)));
  }

  /** For `Mapping.attach`, in this thread or another. It does not hold the memory by itself. */
  handle(): MappingHandle {
    this.#use();
    return { mapping: libc.mapping_id(this.#held) };
  }

  /**
   * Lets go, detaching this thread's views. As the last holder it gives the memory back: at once, or as soon as no call in
   * progress, no other thread's view and no view that was moved away is left of it. Again: nothing happens.
   */
  close(): void {
    this.#closed = true;
    this.#bytes = undefined;
    leaks.forget(this);
    libc.mapping_close(this.#held);
  }
  [Symbol.dispose](): void {
    this.close();
  }

  /** Every call comes by here. */
  #use(): void {
    if (this.#closed) throw closed();
    if (this.faulted) throw faulted(this.path);
  }

  #part(offset: number, length: number): [offset: number, length: number] {
    this.#use();
    integer('offset', offset, 0, this.#length);
    return [offset, integer('length', length, 0, this.#length - offset)];
  }

  #range(offset: number, length: number): [address: Address, length: number] {
    const [start, bytes] = this.#part(offset, length);
    return [this.#address + BigInt(start), bytes];
  }

  /** Rounded out to the start of a page. */
  #pages(offset: number, length: number): [address: Address, length: number] {
    const [start, bytes] = this.#part(offset, length);
    const over = start % libc.getpagesize();
    return [this.#address + BigInt(start - over), bytes + over];
  }

  #target(offset: number, bytes: Uint8Array): [address: Address, bytes: Uint8Array] {
    if (!(bytes instanceof Uint8Array)) throw wrongType('bytes', 'an instance of Uint8Array', bytes);
    if (this.access === 'read') throw readOnly(this.path);
    const [address] = this.#range(offset, bytes.length);
    return [address, bytes];
  }

  #window(offset: number, length: number): ArrayBuffer {
    this.#use();
    const buffer = libc.mapping_view(this.#held, offset, length);
    owners.set(buffer, this);
    return buffer;
  }

  #makeRoom(length: number): void {
    this.#use();
    integer('length', length, 1, Number.MAX_SAFE_INTEGER - this.offset);
    if (this.fd !== -1) source.fitted(this.fd, this.access, this.offset, length);
  }

  #moved(address: Address, length: number): void {
    if (this.#closed) throw closed(); // meanwhile, and its descriptor may be another file's by now
    if (this.kind === 'shared' && length < this.#length) ftruncateSync(this.fd, length);
    this.#address = address;
    this.#length = length;
    this.#bytes = undefined;
  }
}

function named(table: Readonly<Record<string, number>>, parameter: string, name: string): number {
  const value = Object.hasOwn(table, name) ? table[name] : undefined;
  if (value === undefined) throw outOfRange(parameter, `one of ${Object.keys(table).join(', ')}`, name);
  return value;
}

function counted(pages: Uint8Array): Residency {
  const page = libc.getpagesize();
  let resident = 0;
  for (const state of pages) resident += state & 1;
  return { total: pages.length * page, resident: resident * page };
}
