/** The bytes of a log, whether it is packed with gzip or not. */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** A log's text, its bytes, or its bytes piece by piece. */
export type LogSource = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const CHUNK = 1 << 20;
const UNPACKED = 1 << 18;

/** JavaScript may hand over anything. */
export function checkSource(source: unknown): void {
  if (typeof source === 'string') return;
  if (typeof source === 'object' && source !== null)
    if (Symbol.iterator in source || Symbol.asyncIterator in source) return;
  const message =
    'The "source" argument must be the text of a log, a Uint8Array, or an iterable of Uint8Arrays; readMtrace takes a path';
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** Plain text goes through one buffer only; what is packed is copied, since zlib reads it later. */
export async function* chunksOfFile(file: FileHandle): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  let packed: boolean | undefined;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK);
    if (bytesRead === 0) return;
    const chunk = buffer.subarray(0, bytesRead);
    packed ??= isGzip(chunk) || chunk.length < 2;
    yield packed ? Buffer.from(chunk) : chunk;
  }
}

export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

export async function* unpacked(source: LogSource): AsyncGenerator<Uint8Array> {
  const chunks = chunksOf(source);
  const head: Uint8Array[] = [];
  let length = 0;
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
    head.push(next.value);
    length += next.value.length;
    if (length >= 2) break;
  }
  const start = head.length === 1 && head[0] ? head[0] : Buffer.concat(head);
  const all = startingWith(start, chunks);
  if (isGzip(start)) yield* gunzip(all);
  else yield* all;
}

async function* chunksOf(source: LogSource): AsyncGenerator<Uint8Array> {
  if (typeof source === 'string') yield Buffer.from(source);
  else if (source instanceof Uint8Array) yield source;
  else yield* source;
}

async function* startingWith(head: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  yield* rest;
}

async function* gunzip(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const packed = Readable.from(chunks);
  const plain = createGunzip({ chunkSize: UNPACKED });
  packed.on('error', (error) => plain.destroy(error)).pipe(plain);
  try {
    yield* plain;
  } finally {
    packed.destroy();
    plain.destroy();
  }
}
