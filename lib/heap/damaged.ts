/**
 * Opening a heap whatever is wrong with it, for salvage. If its header has lost its fixed words, they are found out from the rest:
 * where the arena begins gives everything else, and is known by what the live map says of the blocks there.
 */
import { constants, fstatSync, readSync } from 'node:fs';
import { ALIGNMENT, MAGIC, MAGIC_VALUE } from '../allocator/layout.js';
import { handOver, openDescriptor } from '../descriptor.js';
import { badHeap } from './errors.js';
import {
  encode,
  type Facts,
  FIXED_BYTES,
  HEADER_BYTES,
  isWhole,
  LENGTH,
  lengthOf,
  MOST,
  plan,
  read,
} from './header.js';
import { checkFits, likelyFree, look, mapped } from './open.js';
import { Region } from './region.js';
import { walker } from './live.js';

/** A private copy of what can be read of a heap file; what is missing of it is zeroes. */
export function attachDamaged(path: string): { region: Region; guessed: boolean } {
  return handOver(openDescriptor(path, constants.O_RDONLY | constants.O_NONBLOCK), (fd) => {
    const header = words(fd, 0, HEADER_BYTES);
    const guessed = !isWhole(header);
    const facts = guessed ? guess(fd, path, read(header)) : look(fd, path).facts;
    const there = Math.min(facts.limit, Math.max(0, fstatSync(fd).size - facts.arenaAt));
    const said = lengthOf(header);
    const length = said > 0 && said <= facts.limit ? said : Math.ceil(there / 4096) * 4096;
    checkFits(path, length);
    const mapping = mapped(
      fd,
      { path, access: 'private' },
      facts.arenaAt + facts.limit,
      facts.base,
      'anywhere',
    );
    mapping.write(0, encode(facts).subarray(0, FIXED_BYTES));
    mapping.write(4 * LENGTH, new Uint8Array(Int32Array.of(length / 4096).buffer));
    return { region: new Region(mapping, facts, 'memory'), guessed };
  });
}

/** Zeroes where the file has ended. */
function words(fd: number, offset: number, bytes: number): Int32Array {
  const read = new Int32Array(bytes / 4);
  readSync(fd, read, 0, bytes, offset);
  return read;
}

function guess(fd: number, path: string, said: Facts): Facts {
  const { headerSize, pageSize } = plan(MOST, '', 0n);
  const places = new Set(arenasIn(fd, headerSize, pageSize));
  for (const limit of [said.limit, 64 * (said.arenaAt - headerSize)])
    if (limit > 0 && limit <= MOST) places.add(plan(limit, '', 0n).arenaAt);
  const scored = [...places].map((arenaAt) => ({ arenaAt, score: blocksAt(fd, headerSize, arenaAt) }));
  const [best] = scored.sort((a, b) => b.score - a.score);
  if (best === undefined || best.score <= 0)
    throw badHeap(path, 'has neither a header of memprobe nor blocks of a heap');
  const { arenaAt } = best;
  const fits = plan(said.limit, '', 0n).arenaAt === arenaAt;
  const limit = fits ? said.limit : 64 * (arenaAt - headerSize);
  const alignment = words(fd, arenaAt, 8)[ALIGNMENT] === 16 ? 16 : 8;
  return { ...plan(limit, '', likelyFree(arenaAt)), alignment, name: said.name };
}

/** Where the allocator's state may begin. */
function* arenasIn(fd: number, headerSize: number, pageSize: number): Generator<number> {
  const end = Math.min(fstatSync(fd).size, plan(MOST, '', 0n).arenaAt + pageSize);
  for (let at = headerSize + pageSize; at < end; at += pageSize) {
    const state = words(fd, at, 8);
    if (state[MAGIC] === MAGIC_VALUE) yield at;
  }
}

/** How many of the live map's first blocks can be blocks if the arena begins there, less those that can't. */
function blocksAt(fd: number, headerSize: number, arenaAt: number): number {
  const live = words(fd, headerSize, arenaAt - headerSize);
  const next = walker(live, 8 * live.byteLength);
  const units = (fstatSync(fd).size - arenaAt) / 8;
  let [score, end] = [0, 0];
  for (let unit = next(), seen = 0; unit !== 0 && seen < 1000; unit = next(), seen++) {
    const length = words(fd, arenaAt + 8 * unit - 4, 4)[0]! >>> 3;
    const possible = length >= 2 && unit >= end && unit + length <= units;
    score += possible ? 1 : -1;
    if (possible) end = unit + length;
  }
  return score;
}
