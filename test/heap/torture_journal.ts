/**
 * What the tortured process says of its work: a record when an operation begins, with what it is about, and one when it is
 * done, with its result. Each is one write(2), so it survives the process.
 */

export enum Op {
  malloc = 1,
  free = 2,
  realloc = 3,
  set = 4,
  unset = 5,
}

export interface JournalRecord {
  readonly op: Op;
  readonly ptr: number;
  readonly result: number;
  /** A root's name. */
  readonly root: number;
  /** Of the content that the block has afterwards. */
  readonly tag: number;
}

const WORDS = 6;
const JOURNAL_BYTES = 4 * WORDS;

export function encodeRecord(done: boolean, { op, ptr, result, root, tag }: JournalRecord): Uint8Array {
  const bytes = Buffer.alloc(JOURNAL_BYTES);
  [op, Number(done), ptr, result, root, tag].forEach((word, i) => bytes.writeInt32LE(word, 4 * i));
  return bytes;
}

/** The operations that were acknowledged, and the one under way. */
export function readRecords(bytes: Buffer): { done: JournalRecord[]; begun: JournalRecord | undefined } {
  const done: JournalRecord[] = [];
  let begun: JournalRecord | undefined;
  for (let at = 0; at + JOURNAL_BYTES <= bytes.length; at += JOURNAL_BYTES) {
    const [op = 0, end = 0, ptr = 0, result = 0, root = 0, tag = 0] = Array.from({ length: WORDS }, (_, i) =>
      bytes.readInt32LE(at + 4 * i),
    );
    const record = { op, ptr, result, root, tag };
    if (end === 1) done.push(record);
    begun = end === 1 ? undefined : record;
  }
  return { done, begun };
}

/** A block's content: its tag, then bytes that follow from it. */
export function fillWith(bytes: Uint8Array, tag: number): void {
  for (let i = 4; i < bytes.length; i++) bytes[i] = (tag + i) * 31;
  new DataView(bytes.buffer, bytes.byteOffset).setInt32(0, tag, true);
}

export const tagOf = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);

/** Up to where the content goes that was written, which the tag tells: its low bits are the length. */
export function isIntact(bytes: Uint8Array): boolean {
  const tag = tagOf(bytes);
  const length = lengthOf(tag);
  if (bytes.length < length) return false;
  for (let i = 4; i < length; i++) if (bytes[i] !== (((tag + i) * 31) & 255)) return false;
  return true;
}

export const lengthOf = (tag: number): number => tag & 0x7fff;
/** A tag for `length` bytes, below 32 KiB. */
export const tagFor = (length: number, salt: number): number => (salt << 15) | length;
