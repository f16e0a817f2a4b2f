import type { PathLike } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Allocator, HeapBlock, HeapInfo } from '../allocator/interface.js';
import { FIRST } from '../allocator/layout.js';
import { TsAllocator } from '../allocator/ts_allocator.js';
import { checkOptions, integer, outOfRange, wrongType } from '../arguments.js';
import { badPointer, closed, corruptFile, HeapFileError, readOnly, text } from './errors.js';
import { DIRTY, MOST, MOVE_FROM, MOVE_TO, NAME_BYTES, PENDING, SEAL, seal, WRITER } from './header.js';
import { clearLive, isLive, setLive } from './live.js';
import * as open from './open.js';
import type { HeapMode } from './open.js';
import type { Region } from './region.js';
import { repair } from './repair.js';
import { Roots } from './roots.js';
import { saveTo } from './snapshot.js';
import { checkMap, type HeapStats, sizeOf, survey } from './survey.js';

export interface HeapCreateOptions {
  /** Bytes that the heap may grow to, for good: so much address space is reserved, no memory and no disk. 4 GiB by default. */
  readonly limit?: number;
  /** Up to 63 bytes, for people. */
  readonly name?: string;
  /** As in HeapAttachOptions. */
  readonly sync?: boolean;
}

export interface HeapAttachOptions {
  /**
   * `write` (default): one at a time. `read`, `copy-on-write`: as many as like. With `read` a store into a view changes this
   * process's copy of the page alone, which then no longer follows the writer.
   */
  readonly mode?: HeapMode;
  /**
   * Writes through, in mode `write`: what an operation did is on the disk when it returns, after all that was written to
   * blocks before it, so that a power loss at any moment does no more harm than kill -9. Each waits for the disk one to four times.
   */
  readonly sync?: boolean;
}

const LEAST = 65_536;
const DEFAULT = 4 * 2 ** 30;

/**
 * malloc in a file, or in memory: TsAllocator over a mapping, with all its state inside. Pointers are byte offsets, 0 is null,
 * so a heap works wherever it is mapped; `address` tells where that is now. kill -9 at any moment loses no block and no
 * root that was there before (repair.ts). Sizes are bytes. Errors: HeapError (bad pointers, corruption), HeapFileError, HeapBusyError, and
 * system errors as Node has them: ENOSPC from what needs the file to grow. Linux 3.15.
 */
export class Heap implements Allocator<number>, Disposable {
  readonly kind = 'heap';

  /**
   * A new heap in a file that is not there or empty (mode 0o600), or in memory. Throws EEXIST for any other file.
   */
  static create(path: PathLike, options: HeapCreateOptions = {}): Heap {
    checkOptions(options, ['limit', 'name', 'sync']);
    const { limit = DEFAULT, name = '', sync = false } = options;
    integer('options.limit', limit, LEAST, MOST);
    text('options.name', name, NAME_BYTES);
    const where = pathOf(path);
    checkSync(sync, where !== 'memory');
    const region = where === 'memory' ? open.inMemory(limit, name) : open.create(where, limit, name, sync);
    return Heap.over(region, 'write', where);
  }

  /**
   * The heap in a file. `write` repairs what a crash left behind; where the last writer closed it, attaching takes the same time
   * whatever is in it. `read` sees what a writer does meanwhile. Throws HeapBusyError (EWOULDBLOCK, with the
   * `pid`) at once where another one writes, and ERR_MEMPROBE_BAD_HEAP or ERR_MEMPROBE_HEAP_CORRUPT for what is no whole
   * heap of this version and machine, which is not touched then.
   */
  static attach(path: PathLike, options: HeapAttachOptions = {}): Heap {
    checkOptions(options, ['mode', 'sync']);
    const { mode = 'write', sync = false } = options;
    if (!['write', 'read', 'copy-on-write'].includes(mode)) {
      throw wrongType('options.mode', "one of 'write', 'read', 'copy-on-write'", mode);
    }
    checkSync(sync, mode === 'write');
    const where = pathOf(path);
    return Heap.over(open.attach(where, mode, sync), mode, where);
  }

  /** @internal */
  static over(region: Region, mode: HeapMode, path: string, known: { whole?: boolean } = {}): Heap {
    try {
      return new Heap(region, mode, path, known.whole === true);
    } catch (error) {
      region.mapping.close();
      throw error;
    }
  }

  /** Named blocks, from which everything else is found again. */
  readonly roots: Roots;
  /** The last writer did not close it. */
  readonly repaired: boolean;
  /** The process that writes it, where this one does not; 0: none. */
  readonly writer: number;
  readonly #region: Region;
  readonly #header: Int32Array;
  /** The region's, at hand: what costs most in malloc and free is the way there. */
  #live: Int32Array;
  #made: TsAllocator | undefined;
  /** Undefined before the first use, and where stores are not allowed or wait for the disk: malloc and free need not ask. */
  #quick: TsAllocator | undefined;

  private constructor(
    region: Region,
    readonly mode: HeapMode,
    readonly path: string,
    whole: boolean,
  ) {
    this.#region = region;
    this.#header = region.header;
    this.#live = region.live;
    region.moved = () => void (this.#live = region.live);
    const foreign = mode !== 'write' && open.isRunning(region.header[WRITER]!);
    this.writer = foreign && region.header[DIRTY] !== 0 ? region.header[WRITER]! : 0;
    this.repaired = region.header[DIRTY] !== 0 && region.length > 0 && !foreign;
    if (!whole) this.#takeUp();
    this.roots = new Roots(this.#home());
  }

  // The two that count; their common case is inlined.
  malloc(size: number): number {
    const quick = this.#quick;
    if (quick === undefined) return this.#given(this.#writable().malloc(size));
    const ptr = quick.malloc(size);
    const unit = ptr >>> 3; // a shift costs less than publish's division
    if (unit === 0 || 8 * unit !== ptr) return ptr === 0 ? this.#full() : this.#publish(ptr);
    this.#live[unit >>> 5]! |= 1 << unit;
    return ptr;
  }

  free(ptr: number): void {
    const quick = this.#quick;
    if (quick === undefined) return this.#freeFar(this.#writable(), ptr);
    const live = this.#live;
    const unit = ptr >>> 3;
    const word = live[unit >>> 5]!;
    if (8 * unit === ptr && (word & (1 << unit)) !== 0) {
      live[unit >>> 5] = word & ~(1 << unit);
      quick.free(ptr);
    } else this.#freeFar(quick, ptr);
  }

  calloc(nmemb: number, size: number): number {
    return this.#given(this.#writable().calloc(nmemb, size));
  }

  /** Where it moves, the old block is freed when the new one has the content: a crash leaves one of the two, whole. */
  realloc(ptr: number, size: number): number {
    const writer = this.#writable();
    if (ptr === 0) return this.malloc(size);
    if (!isLive(this.#live, ptr)) this.#reject(writer, ptr);
    if (size === 0) return (this.free(ptr), 0);
    if (!writer.resize(ptr, size)) return this.#move(writer, ptr, size);
    this.#region.settle();
    return ptr;
  }

  reallocarray(ptr: number, nmemb: number, size: number): number {
    const bytes = integer('nmemb', nmemb, 0) * integer('size', size, 0);
    return Number.isSafeInteger(bytes) ? this.realloc(ptr, bytes) : 0;
  }

  memalign(alignment: number, size: number): number {
    return this.#given(this.#writable().memalign(alignment, size));
  }

  posix_memalign(alignment: number, size: number): number {
    return this.#given(this.#writable().posix_memalign(alignment, size));
  }

  aligned_alloc(alignment: number, size: number): number {
    return this.#given(this.#writable().aligned_alloc(alignment, size));
  }

  valloc(size: number): number {
    return this.#given(this.#writable().valloc(size));
  }

  pvalloc(size: number): number {
    return this.#given(this.#writable().pvalloc(size));
  }

  malloc_usable_size(ptr: number): number {
    return ptr === 0 ? 0 : sizeOf(this.#open(), this.#block(ptr)) - 4;
  }

  malloc_trim(pad: number): 0 | 1 {
    return this.#writable().malloc_trim(pad);
  }

  mallinfo2(): HeapInfo {
    return this.#allocator().mallinfo2();
  }

  mallopt(param: number, value: number): 0 | 1 {
    return this.#writable().mallopt(param, value);
  }

  /** Always throws: `snapshot` saves a heap, and `attach` takes it up. */
  malloc_get_state(): never {
    throw new HeapFileError('ERR_MEMPROBE_UNSUPPORTED', 'a Heap is saved by snapshot(path)');
  }

  /** Always throws, as malloc_get_state. */
  malloc_set_state(): never {
    return this.malloc_get_state();
  }

  /** The memory itself, without a copy: `length` bytes of the block at `ptr`, all that is usable by default. `close` detaches it. */
  view(ptr: number, length = this.malloc_usable_size(ptr)): Uint8Array<ArrayBuffer> {
    const most = this.malloc_usable_size(this.#block(ptr));
    return new Uint8Array(this.#region.buffer, ptr, integer('length', length, 0, most));
  }

  /** Where the block is in this process, for calls of memprobe/libc; without `ptr` where the arena begins. */
  address(ptr = 0): bigint {
    this.#open();
    return this.#region.address + BigInt(ptr);
  }

  get name(): string {
    return this.#region.facts.name;
  }

  /** Bytes and counts; goes through all blocks. */
  stats(): HeapStats {
    this.#open();
    return survey(this.#region, this.roots);
  }

  /** Proves the heap's invariants; throws ERR_MEMPROBE_HEAP_CORRUPT with the first place that breaks one. */
  check(): void {
    const allocator = this.#allocator();
    allocator.check();
    checkMap(this.#region, usedIn(allocator), this.roots);
  }

  *walk(): Generator<HeapBlock<number>> {
    yield* this.#allocator().walk();
  }

  /** Makes room for `bytes` in all beforehand. ENOSPC where the disk is full; false beyond the limit. */
  grow(bytes: number): boolean {
    this.#writable();
    integer('bytes', bytes, 0);
    return bytes <= this.#region.length || this.#region.resize(bytes) || this.#full() !== 0;
  }

  /** Gives the free end of the heap back to the disk, but `pad` bytes; how many bytes. */
  trim(pad = 0): number {
    const before = this.#region.length;
    this.malloc_trim(pad);
    return before - this.#region.length;
  }

  /** Waits until the disk has all that was written so far. @see msync(2) */
  flush(): void {
    this.#writable();
    this.#region.mapping.flush(0, this.#extent());
  }

  async flushAsync(): Promise<void> {
    this.#writable();
    return this.#region.mapping.flushAsync(0, this.#extent());
  }

  /**
   * A copy of the heap as it is now, closed well, in a file that replaces `path` when it is complete and on the disk. Shares
   * blocks with this one where the filesystem can (btrfs, XFS).
   */
  snapshot(path: PathLike): void {
    this.#open();
    saveTo(pathOf(path), this.#region);
  }

  /** Detaches all views and lets others write. Again: nothing happens. */
  close(): void {
    if (this.closed) return;
    try {
      if (this.mode === 'write') this.#seal();
    } finally {
      this.#quick = undefined;
      this.#region.mapping.close();
    }
  }
  [Symbol.dispose](): void {
    this.close();
  }

  get closed(): boolean {
    return this.#region.mapping.closed;
  }

  /** @internal */
  get region(): Region {
    this.#open();
    return this.#region;
  }

  #takeUp(): void {
    const header = this.#header;
    if (this.repaired) repair(this.#region);
    else if (header[DIRTY] === 0 && header[SEAL] !== seal(header, this.#region.words, 2 * FIRST))
      throw corruptFile(this.path, 'its state is not what it was when it was closed');
    if (this.mode !== 'write') return;
    if (this.#region.length === 0 && !this.#region.resize(LEAST)) throw this.#region.failure ?? closed();
    header[DIRTY] = 1;
    this.#region.settle();
    header[WRITER] = process.pid;
  }

  /** Made when it is needed: a reader's costs pages, and stands still while a writer goes on. */
  #allocator(): TsAllocator {
    this.#open();
    const { limit, facts } = this.#region;
    const { alignment } = facts;
    this.#made ??= new TsAllocator({ room: this.#region, limit, alignment, trusted: true });
    return this.#made;
  }

  #seal(): void {
    const header = this.#header;
    header[SEAL] = seal(header, this.#region.words, 2 * FIRST);
    this.#region.settle();
    header[DIRTY] = 0;
    this.#region.settle();
  }

  #move(writer: TsAllocator, ptr: number, size: number): number {
    const target = writer.malloc(size);
    if (target === 0) return this.#full();
    const region = this.#region;
    const { words, live, header } = region;
    words.copyWithin(target / 4, ptr / 4, (ptr + sizeOf(words, ptr)) / 4 - 1);
    header[MOVE_TO] = target / 8;
    region.settle();
    header[MOVE_FROM] = ptr / 8;
    region.settle();
    setLive(live, target);
    clearLive(live, ptr);
    region.settle();
    header[MOVE_FROM] = 0;
    region.settle();
    writer.free(ptr);
    return target;
  }

  #given(ptr: number): number {
    if (ptr === 0) return this.#full();
    this.#region.settle();
    this.#publish(ptr);
    this.#region.settle();
    return ptr;
  }

  /** Beyond 4 GiB, null, wrong, or step by step. */
  #freeFar(writer: TsAllocator, ptr: number): void {
    if (ptr === 0) return;
    if (!isLive(this.#live, ptr)) this.#reject(writer, ptr);
    clearLive(this.#live, ptr);
    this.#region.settle();
    writer.free(ptr);
  }

  #publish(ptr: number): number {
    const unit = ptr / 8;
    this.#live[unit >>> 5]! |= 1 << unit;
    return ptr;
  }

  /** The heap could not grow: null where that is its limit. */
  #full(): 0 {
    const { failure } = this.#region;
    this.#region.failure = undefined;
    if (failure !== undefined) throw failure;
    return 0;
  }

  /** The allocator knows best what is wrong with a pointer. */
  #reject(writer: TsAllocator, ptr: number): never {
    writer.malloc_usable_size(ptr);
    throw badPointer(ptr);
  }

  #block(ptr: number): number {
    this.#open();
    if (!isLive(this.#live, ptr)) throw badPointer(ptr);
    return ptr;
  }

  #writable(): TsAllocator {
    if (this.closed || this.mode === 'read') throw this.#refusal();
    const writer = this.#allocator();
    if (!this.#region.sync) this.#quick = writer;
    return writer;
  }

  #open(): Int32Array {
    if (this.closed) throw closed();
    this.#region.follow();
    return this.#region.words;
  }

  #refusal(): Error {
    return this.closed ? closed() : readOnly();
  }

  #extent(): number {
    return this.#region.facts.arenaAt + this.#region.length;
  }

  #home(): ConstructorParameters<typeof Roots>[0] {
    const heap = this;
    return {
      header: this.#header,
      get words() {
        return heap.#open();
      },
      allocate: (bytes) => this.#allocateNode(bytes),
      free: (ptr) => this.free(ptr),
      settle: () => this.#region.settle(),
      admit: (ptr) => void (this.#writable(), this.#block(ptr)),
      isLive: (ptr) => isLive(this.#live, ptr),
    };
  }

  #allocateNode(bytes: number): number {
    const ptr = this.#writable().malloc(bytes);
    if (ptr === 0)
      throw Object.assign(new Error(`ENOMEM: the heap's limit is reached, malloc ${bytes}`), {
        code: 'ENOMEM',
        errno: -12,
        syscall: 'malloc',
      });
    this.#header[PENDING] = ptr / 8;
    return this.#given(ptr);
  }
}

function* usedIn(allocator: TsAllocator): Generator<number> {
  for (const { ptr, state } of allocator.walk()) if (state === 'used') yield ptr;
}

/** Only what a writer stores in a file can be written through. */
function checkSync(sync: unknown, possible: boolean): void {
  if (typeof sync !== 'boolean') throw wrongType('options.sync', 'of type boolean', sync);
  if (sync && !possible) throw outOfRange('options.sync', "false but for a file with mode 'write'", sync);
}

function pathOf(path: PathLike): string {
  if (path instanceof URL) return fileURLToPath(path);
  if (typeof path !== 'string' && !Buffer.isBuffer(path))
    throw wrongType('path', 'a path, a URL or a Buffer', path);
  return String(path);
}
