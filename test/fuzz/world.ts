/** What the calls of a fuzzed process have made so far, and where the rest of its memory lies. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import * as libc from '../../lib/libc/index.js';
import { addonPath, native } from '../../lib/native.js';
import { mappings } from '../helpers/witness.js';

/** An address that was ours once, and may be still. */
export interface Piece {
  readonly address: bigint;
  readonly length: number;
}

const KEPT = 24;

/** Another thread that holds buffers, writes into them, and makes calls of its own. */
const ACCOMPLICE = `
  const { parentPort } = require('node:worker_threads');
  const { libc, promises } = require(${JSON.stringify(addonPath)});
  let held = [];
  const bytes = (buffer) => { try { const all = new Uint8Array(buffer); if (all.length > 0) all[0] = all[all.length - 1]; } catch {} };
  parentPort.on('message', ({ name, promise, args, drop, ping }) => {
    if (drop) held = [];
    for (const each of args ?? []) if (each instanceof ArrayBuffer || ArrayBuffer.isView(each)) held.push(each.buffer ?? each);
    try {
      const result = name === undefined ? undefined : (promise ? promises : libc)[name](...args);
      if (result instanceof ArrayBuffer) held.push(result);
      result?.catch?.(() => {});
    } catch {}
    held.slice(-4).forEach(bytes);
    if (ping) parentPort.postMessage('pong');
  });`;

export class World {
  pieces: Piece[] = [];
  /** Pointers of heaps in buffers. */
  offsets: number[] = [];
  buffers: ArrayBuffer[] = [];
  /** Instances of exported classes. */
  objects: object[] = [];
  fds: number[] = [];
  pending: Promise<unknown>[] = [];
  readonly landmarks = landmarks();
  readonly file: number;
  #accomplice: Worker | undefined;

  constructor() {
    writeFileSync('file', new Uint8Array(3 * 4096 + 5));
    this.file = openSync('file', 'r+');
  }

  /** Takes note of a result. Of an address that came without one, the length is a page. */
  absorb(name: string, result: unknown, args: readonly unknown[]): void {
    if (typeof result === 'bigint' && result > 4096n) this.#note(result, args);
    if (typeof result === 'number' && /alloc/.test(name))
      this.offsets = [...this.offsets.slice(1 - KEPT), result];
    if (result instanceof ArrayBuffer) this.buffers.push(result);
    else if (name === 'memfd_create' && typeof result === 'number') this.fds.push(result);
    else if (result instanceof Promise) this.#await(name, result, args);
    else if (typeof result === 'object' && result !== null && !Array.isArray(result)) this.#keep(result);
  }

  #note(address: bigint, args: readonly unknown[]): void {
    const sizes = args.filter((arg) => typeof arg === 'number' && arg > 0 && arg < 2 ** 40).map(Number);
    this.pieces = [...this.pieces.slice(1 - KEPT), { address, length: Math.max(1, ...sizes) }];
  }

  #keep(object: object): void {
    const { constructor } = object;
    if (constructor !== Object && typeof constructor === 'function' && !ArrayBuffer.isView(object))
      this.objects = [...this.objects.slice(1 - KEPT), object];
  }

  #await(name: string, promise: Promise<unknown>, args: readonly unknown[]): void {
    this.pending.push(
      promise.then(
        (value) => this.absorb(name, value, args),
        () => {},
      ),
    );
  }

  /** Gives one piece back, in the middle of whatever is going on. */
  pullAway(index: number): void {
    const { address, length } = this.piece(index);
    for (const end of [() => libc.munmap(address & ~4095n, length), () => libc.free(address)]) attempt(end);
  }

  piece(index: number): Piece {
    return this.pieces.at(-1 - (index % Math.max(1, this.pieces.length))) ?? { address: 4096n, length: 1 };
  }

  /** The worker; started when it is first wanted. */
  get accomplice(): Worker {
    this.#accomplice ??= startAccomplice(() => (this.#accomplice = undefined));
    return this.#accomplice;
  }

  /** Terminates it wherever it is. */
  endAccomplice(): void {
    const worker = this.#accomplice;
    this.#accomplice = undefined;
    if (worker !== undefined) this.pending.push(worker.terminate());
  }

  /** Until the other thread has done what it was sent. */
  async settle(): Promise<void> {
    const worker = this.#accomplice;
    if (worker === undefined) return;
    const answered = new Promise((done) => worker.once('message', done).once('exit', done));
    worker.postMessage({ ping: true });
    await answered;
  }

  /** Everything back, as far as the guard lets it go. */
  async clear(): Promise<void> {
    for (let round = 0; this.pending.length > 0 && round < 10; round++)
      await Promise.all(this.pending.splice(0));
    this.#accomplice?.postMessage({ drop: true });
    this.offsets = [];
    this.buffers = [];
    this.objects = [];
    for (const fd of this.fds.splice(0)) attempt(() => closeSync(fd));
    for (const { address } of this.pieces.splice(0)) attempt(() => libc.free(address));
    const owned = native.libc.owned_ranges();
    for (let i = 0; i + 1 < owned.length; i += 2) {
      const start = owned[i] ?? 0n;
      attempt(() => libc.munmap(start, Number((owned[i + 1] ?? 0n) - start)));
    }
    for (const reset of [libc.munlockall, () => libc.set_mempolicy(libc.MPOL_DEFAULT, null)]) attempt(reset);
  }
}

export function attempt(deed: () => unknown): void {
  try {
    deed();
  } catch {
    // a refusal is as good
  }
}

function startAccomplice(ended: () => void): Worker {
  const worker = new Worker(ACCOMPLICE, { eval: true, execArgv: [] });
  worker.on('error', ended);
  worker.unref();
  return worker;
}

/** One address of each kind of memory that is not memprobe's, by name. */
function landmarks(): ReadonlyMap<string, bigint> {
  const found = new Map<string, bigint>();
  for (const { start, end, perms, path } of mappings()) {
    const size = end - start;
    const name =
      path.split('/').at(-1) || (perms === 'rw-p' ? `anonymous ${size >> 16n}` : `${perms} anonymous`);
    const key = `${name} ${perms}`;
    if (!found.has(key) && found.size < 60) found.set(key, start + ((size / 2n) & ~4095n));
  }
  return found;
}
