/** The one place that makes the errors of `memprobe/mtrace`. */

export type MtraceErrorCode =
  | 'ERR_MEMPROBE_EMPTY_LOG' // not one byte in it
  | 'ERR_MEMPROBE_NOT_MTRACE'; // something else than a log of mtrace

/** What the parser throws; what the operating system says while a file is read stays Node's system error. */
export class MtraceError extends Error {
  override readonly name = 'MtraceError';

  constructor(
    readonly code: MtraceErrorCode,
    message: string,
  ) {
    super(`${code}: ${message}`);
  }
}

export function emptyLog(): MtraceError {
  return new MtraceError(
    'ERR_MEMPROBE_EMPTY_LOG',
    'the log is empty: the program never called mtrace(), ran without libc_malloc_debug.so.0 in LD_PRELOAD, or was ' +
      'killed before the first 512 bytes were written; `memprobe leaks -- program` sets all of that up',
  );
}

export function notMtrace(head: Uint8Array): MtraceError {
  return new MtraceError(
    'ERR_MEMPROBE_NOT_MTRACE',
    `the log is not from mtrace(3): it looks like ${looksLike(head)}. A log of mtrace begins with "= Start"; ` +
      '`memprobe leaks -- program` makes one',
  );
}

export function damagedGzip({ message }: Error): MtraceError {
  return new MtraceError(
    'ERR_MEMPROBE_NOT_MTRACE',
    `the log begins as a gzip file does, but cannot be unpacked (${message}): copy it again`,
  );
}

/** First bytes, as latin1, and what begins with them. */
const BEGINNINGS: readonly (readonly [RegExp, string])[] = [
  [/^\x7fELF/, 'a program, a library or a core file (ELF): give the log that it wrote'],
  [/^\x1f\x8b/, 'a gzip file inside a gzip file'],
  [/^\x28\xb5\x2f\xfd/, 'a zstd file: unpack it first (zstd -d)'],
  [/^\xfd7zXZ\0/, 'an xz file: unpack it first (xz -d)'],
  [/^BZh\d/, 'a bzip2 file: unpack it first (bunzip2)'],
  [/^PK\x03\x04/, 'a zip file: unpack it first'],
  [/^\{"snapshot":/, 'a V8 heap snapshot: open it in the Memory tab of Chrome DevTools'],
  [/^\s*[{[]\s*["{[\]}]/, 'JSON'],
  [/^==\d+==/, 'output of Valgrind or of a sanitizer'],
  [/^heap profile:/, 'a heap profile of gperftools'],
  [/^heap_v2\//, 'a heap profile of jemalloc'],
  [/^\s*<(!doctype|html|\?xml)/i, 'HTML or XML'],
  [/^(\d+ +)?([\d:.]+ +)?\w+\(.*\) += /, 'output of strace or ltrace'],
  [/^[0-9a-f]+-[0-9a-f]+ [r-][w-][x-][ps] /, '/proc/PID/maps'],
];

function looksLike(head: Uint8Array): string {
  const text = Buffer.from(head).toString('latin1');
  const known = BEGINNINGS.find(([pattern]) => pattern.test(text));
  if (known) return known[1];
  if (/[\0-\x08\x0e-\x1a]/.test(text)) return 'binary data';
  const line = text.split('\n', 1)[0]?.trim() ?? '';
  return `text that begins with ${JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}…` : line)}`;
}
