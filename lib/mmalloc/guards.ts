/**
 * mmcheck's guards. A guarded block ends with FILL behind what was asked for, and a word with the size, so that what wrote beyond
 * its end is found when the block is freed or changed.
 *
 *   | content, size bytes | FILL … | size ^ MARK |
 */
import { corrupt } from '../allocator/errors.js';

const FILL = 0xd7;
const MARK = 0x6d63686b;
export const GUARD_BYTES = 8;

const last = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4);

export function guard(bytes: Uint8Array, size: number): void {
  bytes.fill(FILL, size, bytes.length - 4);
  last(bytes).setUint32(0, (size ^ MARK) >>> 0, true);
}

/** Throws ERR_MEMPROBE_HEAP_CORRUPT where something wrote behind the content. */
export function verify(bytes: Uint8Array, at: number): number {
  const size = (last(bytes).getUint32(0, true) ^ MARK) >>> 0;
  const end = bytes.length - 4;
  if (size > end || !bytes.subarray(size, end).every((byte) => byte === FILL))
    throw corrupt(at, 'the guard behind the block is overwritten');
  return size;
}
