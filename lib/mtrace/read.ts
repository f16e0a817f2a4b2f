/** A log from a file or any other source of bytes, packed with gzip or not, in bounded memory. */
import { type FileHandle, open } from 'node:fs/promises';
import { addonPath } from '../native.js';
import { damagedGzip, MtraceError } from './errors.js';
import { Leftover } from './leftover.js';
import { readNatively } from './native_log.js';
import type { MtraceParser } from './parser.js';
import { checkSource, chunksOfFile, isGzip, type LogSource, unpacked } from './source.js';
import {
  collectOddities,
  HEAD,
  INTERRUPTED,
  type ParseOptions,
  stoppedBy,
  type Trace,
  traceOf,
} from './trace.js';

/**
 * Reads a log of mtrace(3), gzip-packed or plain. Memory grows with the blocks that are allocated at a time (at most 112
 * bytes each) and with the program's call sites, not with the log.
 *
 * A log that is cut off, damaged or interrupted gives what could be read, with `partial` and `reasons`. Throws
 * ERR_MEMPROBE_EMPTY_LOG, ERR_MEMPROBE_NOT_MTRACE, ERR_INVALID_ARG_TYPE, and what the source throws before it gave any byte.
 * @see mtrace(3)
 */
export async function parseMtrace(source: LogSource, options: ParseOptions = {}): Promise<Trace> {
  checkSource(source);
  const { oddities, tell } = collectOddities(options);
  // Loaded only where the addon can't do it.
  const { MtraceParser } = await import('./parser.js');
  const parser = new MtraceParser(tell);
  const stopped = await readInto(parser, source, options);
  return traceOf(parser, new Leftover(parser.live.columns(), parser.sites.texts()), oddities, stopped);
}

/**
 * `parseMtrace` for a file. A plain one is read by the addon, on the thread pool and several times faster; its memory is
 * 24 bytes for each block, and some 600 for each 2 KiB of the program's memory with a block. Throws what open(2) and
 * read(2) say, as Node's system errors.
 */
export async function readMtrace(path: string, options: ParseOptions = {}): Promise<Trace> {
  const file = await open(path);
  try {
    const head = addonPath === undefined ? undefined : await headOf(file);
    return await (head ? readNatively(file, head, options) : parseMtrace(chunksOfFile(file), options));
  } finally {
    await file.close();
  }
}

/** The first bytes of a plain file, which stay unread; undefined for a pipe, a packed file, and whatever else. */
async function headOf(file: FileHandle): Promise<Uint8Array | undefined> {
  if (!(await file.stat()).isFile()) return undefined;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD), 0, HEAD, 0);
  return isGzip(buffer) ? undefined : buffer.subarray(0, bytesRead);
}

/** Has the parser read it all; the answer is why reading stopped before the source's end, undefined where it did not. */
export async function readInto(
  parser: MtraceParser,
  source: LogSource,
  options: Pick<ParseOptions, 'signal' | 'progress'>,
): Promise<string | undefined> {
  const stopped = await feed(parser, source, options);
  if (parser.bytes > 0 || stopped === undefined) parser.end();
  return stopped;
}

async function feed(
  parser: MtraceParser,
  source: LogSource,
  { signal, progress, onSites }: Pick<ParseOptions, 'signal' | 'progress' | 'onSites'>,
): Promise<string | undefined> {
  let told = parser.sites.count;
  try {
    for await (const chunk of unpacked(source)) {
      if (signal?.aborted) return INTERRUPTED;
      parser.push(chunk);
      if (parser.sites.count > told) onSites?.(parser.sites.texts(told));
      told = parser.sites.count;
      progress?.(parser.bytes, parser.lines);
    }
  } catch (error) {
    if (parser.bytes === 0 && isDamage(error)) throw damagedGzip(error);
    if (error instanceof MtraceError || parser.bytes === 0) throw error;
    return stoppedBy(error);
  }
  return undefined;
}

/** What zlib says. */
function isDamage(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
