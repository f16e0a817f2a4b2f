/** A log from a file or any other source of bytes, packed with gzip or not, in bounded memory. */
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { damagedGzip, MtraceError } from './errors.js';
import type { Block, LiveBlocks } from './live.js';
import { MtraceParser, type Oddity } from './parser.js';
import type { Sites } from './sites.js';

export interface ParseOptions {
  /** Stops reading; what is known by then is the result. */
  signal?: AbortSignal;
  /** Called between chunks with the bytes (unpacked) and lines read so far. */
  progress?: (bytes: number, lines: number) => void;
  /** Called for every free of an unknown address and every duplicate, in order. */
  onOddity?: (oddity: Oddity) => void;
}

/** A block that was not freed. */
export interface LiveBlock {
  address: bigint;
  /** Bytes asked for. */
  size: number;
  /** The call site as the log has it; empty where it has none. */
  site: string;
  /** The line of the log, counted from 1, that allocated it: mtrace's logs have no clock. */
  line: number;
}

/** What a log says. */
export interface Trace {
  /** Lines read; an unfinished last one does not count. */
  lines: number;
  /** Bytes read, after unpacking. */
  bytes: number;
  /** Calls of the allocator; a realloc that moves or resizes counts as two. */
  operations: number;
  /** Allocations that returned NULL. */
  failed: number;
  /** Frees of addresses that were not allocated as far as the log knows. */
  unknownFrees: number;
  /** Allocations at addresses that were not freed as far as the log knows. They are not counted as blocks. */
  duplicates: number;
  /** Lines that mtrace does not write. */
  malformed: number;
  /** Whether `= Start` and `= End` were there; only muntrace(3) writes the latter. */
  started: boolean;
  ended: boolean;
  /** Whether the log is not whole, and why, in words. */
  partial: boolean;
  reasons: string[];
  /** The first hundred of them. */
  oddities: Oddity[];
  /** What was not freed: blocks, bytes, and each single one, in no order. */
  live: { blocks: number; bytes: number; [Symbol.iterator](): Iterator<LiveBlock> };
}

export type LogSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const CHUNK = 1 << 20;
const UNPACKED = 1 << 18;
const ODDITIES_KEPT = 100;

/**
 * Reads a log of mtrace(3), gzip-packed or plain. Memory grows with the blocks that are allocated at a time (at most 112
 * bytes each) and with the program's call sites, not with the log.
 *
 * A log that is cut off, damaged or interrupted gives what could be read, with `partial` and `reasons`. Throws
 * ERR_MEMPROBE_EMPTY_LOG, ERR_MEMPROBE_NOT_MTRACE, and what the source throws before it gave any byte.
 * @see mtrace(3)
 */
export async function parseMtrace(source: LogSource, options: ParseOptions = {}): Promise<Trace> {
  const { signal, progress, onOddity } = options;
  const oddities: Oddity[] = [];
  const parser = new MtraceParser((oddity) => {
    if (oddities.length < ODDITIES_KEPT) oddities.push(oddity);
    onOddity?.(oddity);
  });
  const stopped = await feed(parser, source, signal, progress);
  if (parser.bytes > 0 || stopped === undefined) parser.end();
  return traceOf(parser, oddities, stopped);
}

/** `parseMtrace` for a file. Throws what open(2) and read(2) say, as Node's system errors. */
export async function readMtrace(path: string, options: ParseOptions = {}): Promise<Trace> {
  const file = await open(path);
  try {
    return await parseMtrace(chunksOfFile(file), options);
  } finally {
    await file.close();
  }
}

/** Plain text goes through one buffer only; what is packed is copied, since zlib reads it later. */
async function* chunksOfFile(file: FileHandle): AsyncGenerator<Uint8Array> {
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

function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** Why reading stopped before the source's end; undefined where it did not. */
async function feed(
  parser: MtraceParser,
  source: LogSource,
  signal: AbortSignal | undefined,
  progress: ParseOptions['progress'],
): Promise<string | undefined> {
  try {
    for await (const chunk of unpacked(source)) {
      if (signal?.aborted) return 'it was interrupted before the end of the log';
      parser.push(chunk);
      progress?.(parser.bytes, parser.lines);
    }
  } catch (error) {
    if (parser.bytes === 0 && isDamage(error)) throw damagedGzip(error);
    if (error instanceof MtraceError || parser.bytes === 0) throw error;
    return `reading stopped: ${error instanceof Error ? error.message : String(error)}`;
  }
  return undefined;
}

/** What zlib says. */
function isDamage(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}

async function* unpacked(source: LogSource): AsyncGenerator<Uint8Array> {
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
  if (source instanceof Uint8Array) yield source;
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

function traceOf(parser: MtraceParser, oddities: Oddity[], stopped: string | undefined): Trace {
  const { lines, bytes, operations, failed, unknownFrees, duplicates, malformed, started, ended } = parser;
  const reasons = [...reasonsOf(parser, stopped)];
  return {
    ...{ lines, bytes, operations, failed, unknownFrees, duplicates, malformed, started, ended },
    partial: reasons.length > 0,
    reasons,
    oddities,
    live: liveOf(parser.live, parser.sites),
  };
}

function* reasonsOf(parser: MtraceParser, stopped: string | undefined): Generator<string> {
  if (stopped !== undefined) yield stopped;
  else if (parser.cut) {
    yield 'the last line breaks off: the program was killed, called _exit, or is still running';
  }
  if (!parser.started && parser.lines > 0)
    yield 'the beginning is missing: the log does not start with "= Start"';
  if (parser.malformed > 0) {
    const lines = parser.malformed === 1 ? '1 line is' : `${parser.malformed} lines are`;
    yield `${lines} not of mtrace: damage, or several processes that wrote to one log`;
  }
}

function liveOf(live: LiveBlocks, sites: Sites): Trace['live'] {
  const texts = new Map<number, string>();
  const text = (site: number): string => {
    const known = texts.get(site) ?? sites.text(site);
    texts.set(site, known);
    return known;
  };
  const each = ({ address, size, site, line }: Block): LiveBlock => ({
    address,
    size,
    site: text(site),
    line,
  });
  return {
    blocks: live.count,
    bytes: live.bytes,
    *[Symbol.iterator]() {
      for (const block of live) yield each(block);
    },
  };
}
