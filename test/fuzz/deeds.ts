/** What programs do with views between the calls: look, store, move, post, and hand them to Node's own thread pool. */
import { createHash, randomFill } from 'node:crypto';
import fc from 'fast-check';
import { ftruncateSync, read, write } from 'node:fs';
import { deflate } from 'node:zlib';
import { move } from './values.js';
import { attempt, type World } from './world.js';

const bufferOf = (world: World, index: number): ArrayBuffer =>
  world.buffers.at(-1 - index) ?? new ArrayBuffer(64);

/** At most so much of it, or a run would spend its time here. */
const bytesOf = (world: World, index: number): Uint8Array => {
  const buffer = bufferOf(world, index);
  return new Uint8Array(buffer, 0, Math.min(buffer.byteLength, 2 ** 20));
};

const DEEDS: Readonly<Record<string, (world: World, index: number) => void>> = {
  touch: (world, index) => void bytesOf(world, index).fill(0xa5),
  read: (world, index) => void bytesOf(world, index).reduce((sum, byte) => sum + byte, 0),
  touchAll: (world) => world.buffers.forEach((_, i) => bytesOf(world, i).fill(1)),
  move,
  forget: (world, index) => void world.buffers.splice(index, 1),
  collect: (_, index) => (index === 0 ? globalThis.gc?.() : undefined),
  post: (world, index) => world.accomplice.postMessage({ args: [bytesOf(world, index)] }),
  postAway: (world, index) => {
    const buffer = bufferOf(world, index);
    world.accomplice.postMessage({ args: [buffer] }, [buffer]);
  },
  postBack: (world) => world.accomplice.postMessage({ drop: true }),
  elsewhere: (world, index) => {
    const { address, length } = world.piece(index);
    const name = ['munmap', 'free', 'view', 'mprotect', 'malloc_usable_size', 'madvise', 'peek'][index % 7];
    const args = [
      address,
      ...(index % 7 === 1 || index % 7 === 4 ? [] : [length]),
      ...(name === 'mprotect' || name === 'madvise' ? [index % 5] : []),
    ];
    world.accomplice.postMessage({ name, args });
  },
  promisedElsewhere: (world, index) => {
    const { address, length } = world.piece(index);
    world.accomplice.postMessage({
      name: ['munmap', 'mlock', 'peek', 'msync'][index % 4],
      promise: true,
      args: [address, length, 4],
    });
  },
  terminate: (world, index) => (index === 0 ? world.endAccomplice() : undefined),
  shrink: (world, index) => ftruncateSync(world.fds.at(index) ?? world.file, index * 4096),
  grow: (world, index) => ftruncateSync(world.fds.at(index) ?? world.file, 3 * 4096),
  // Another asynchronous API at work on a view, of which nobody tells the guard.
  deflate: (world, index) => inFlight(world, (done) => deflate(bytesOf(world, index), done)),
  hash: (world, index) => void createHash('sha256').update(bytesOf(world, index)).digest(),
  digest: (world, index) =>
    void world.pending.push(
      globalThis.crypto.subtle.digest('SHA-256', bytesOf(world, index)).catch(() => {}),
    ),
  randomFill: (world, index) => inFlight(world, (done) => randomFill(bytesOf(world, index), done)),
  readFile: (world, index) =>
    inFlight(world, (done) =>
      read(world.file, bytesOf(world, index), 0, bytesOf(world, index).length, 0, done),
    ),
  writeFile: (world, index) =>
    inFlight(world, (done) =>
      write(world.file, bytesOf(world, index), 0, Math.min(4096, bytesOf(world, index).length), 0, done),
    ),
};

/** What can't begin has ended. */
function inFlight(world: World, start: (done: () => void) => void): void {
  world.pending.push(new Promise<void>((done) => start(() => done())).catch(() => {}));
}

export interface Deed {
  readonly label: string;
  run(world: World): void;
}

export const deeds: fc.Arbitrary<Deed> = fc
  .tuple(fc.constantFrom(...Object.entries(DEEDS)), fc.nat(7))
  .map(([[name, run], index]) => ({
    label: `(${name} ${index})`,
    run: (world) => attempt(() => run(world, index)),
  }));
