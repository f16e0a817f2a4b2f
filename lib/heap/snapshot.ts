/** A copy of a heap in a file, complete or not there at all. */
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { FIRST, TOP } from '../allocator/layout.js';
import { syncName } from './disk.js';
import { DIRTY, SEAL, seal, setLength, WRITER } from './header.js';
import type { Region } from './region.js';

const PIECE = 2 ** 26;
const STEP = 65_536;

/** The region must not change meanwhile. */
export function saveTo(path: string, region: Region): void {
  const draft = `${path}.${process.pid}.tmp`;
  const shared = share(draft, region);
  const fd = openSync(draft, shared ? 'r+' : 'wx', 0o600);
  try {
    save(fd, shared, region);
    fsyncSync(fd);
    renameSync(draft, path);
    syncName(path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

function save(fd: number, shared: boolean, region: Region): void {
  const { headerSize, arenaAt } = region.facts;
  const arena = new Uint8Array(region.buffer);
  const top = 8 * region.words[TOP]!;
  const length = Math.ceil(top / STEP) * STEP;
  if (!shared) {
    ftruncateSync(fd, arenaAt + length);
    write(fd, new Uint8Array(region.live.buffer, 0, Math.ceil(length / 64)), headerSize);
    write(fd, arena.subarray(0, top), arenaAt);
  }
  ftruncateSync(fd, arenaAt + length);
  write(fd, sealed(region, length), 0);
}

/** The header as if the heap had been closed now. */
function sealed(region: Region, length: number): Uint8Array {
  const header = region.header.slice();
  setLength(header, length);
  header[DIRTY] = 0;
  header[WRITER] = 0;
  header[SEAL] = seal(header, region.words, 2 * FIRST);
  return new Uint8Array(header.buffer);
}

/** A clone that shares its blocks, where the filesystem can make one; stores so far are in the file for that. */
function share(draft: string, region: Region): boolean {
  if (region.ground !== 'file') return false;
  try {
    copyFileSync(
      `/proc/self/fd/${region.mapping.fd}`,
      draft,
      constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL,
    );
    return true;
  } catch {
    return false;
  }
}

function write(fd: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, Math.min(bytes.length - done, PIECE), offset + done);
  }
}
