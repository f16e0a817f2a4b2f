/** What the readers of logs have in common: what they count, and what they make of it. */
import { notMtrace } from './errors.js';
import type { Leftover } from './leftover.js';

/** What the log says that cannot be: a free of what was not allocated, or an allocation where a block still is. */
export interface Oddity {
  kind: 'unknown-free' | 'duplicate';
  /** The call that it happened in. */
  call: 'malloc' | 'free' | 'realloc';
  address: bigint;
  /** The line of the log, counted from 1. */
  line: number;
  /** The call site as the log has it; empty where it has none. */
  site: string;
}

export interface ParseOptions {
  /** Stops reading; what is known by then is the result. */
  signal?: AbortSignal;
  /** Called between chunks with the bytes (unpacked) and lines read so far. */
  progress?: (bytes: number, lines: number) => void;
  /** Called between chunks with the call sites that are new, as the log has them. */
  onSites?: (sites: readonly string[]) => void;
  /** Called for every free of an unknown address and every duplicate, in order. */
  onOddity?: (oddity: Oddity) => void;
}

/** What is counted while a log is read. */
export interface Counts {
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
  /** Whether the last line breaks off. */
  cut: boolean;
}

/** What a log says. */
export interface Trace extends Omit<Counts, 'cut'> {
  /** Whether the log is not whole, and why, in words. */
  partial: boolean;
  reasons: string[];
  /** The first hundred of them. */
  oddities: Oddity[];
  /** What was not freed. */
  live: Leftover;
}

/** A file whose first MiB holds nothing of mtrace's is not read to its end. */
export const PATIENCE = 1 << 20;
/** So many oddities are kept for the result. */
export const ODDITIES_KEPT = 100;
/** So many bytes from its beginning tell what else it may be. */
export const HEAD = 256;

/** Throws `ERR_MEMPROBE_NOT_MTRACE` where nothing has been found that mtrace writes. */
export function expectLog({ operations, started }: Counts, head: Uint8Array): void {
  if (operations === 0 && !started) throw notMtrace(head);
}

/** Why reading ended before the log did, in words. */
export const INTERRUPTED = 'it was interrupted before the end of the log';
export function stoppedBy(error: unknown): string {
  return `reading stopped: ${error instanceof Error ? error.message : String(error)}`;
}

/** Keeps the first hundred of what `tell` is called with, and hands all on. */
export function collectOddities({ onOddity }: ParseOptions): {
  oddities: Oddity[];
  tell: (oddity: Oddity) => void;
} {
  const oddities: Oddity[] = [];
  const tell = (oddity: Oddity) => {
    if (oddities.length < ODDITIES_KEPT) oddities.push(oddity);
    onOddity?.(oddity);
  };
  return { oddities, tell };
}

/** `stopped` says why reading ended before the log did. */
export function traceOf(
  counted: Counts,
  live: Leftover,
  oddities: Oddity[],
  stopped: string | undefined,
): Trace {
  const { lines, bytes, operations, failed, unknownFrees, duplicates, malformed, started, ended } = counted;
  const reasons = [...reasonsOf(counted, stopped)];
  return {
    ...{ lines, bytes, operations, failed, unknownFrees, duplicates, malformed, started, ended },
    partial: reasons.length > 0,
    reasons,
    oddities,
    live,
  };
}

/** What a log alone can tell of its end. */
export const BROKEN_OFF =
  'the last line breaks off: the program was killed, called _exit, or is still running';

/** Why the log is not whole, in words; nothing where it is. */
export function* reasonsOf(counts: Counts, stopped: string | undefined): Generator<string> {
  if (stopped !== undefined) yield stopped;
  else if (counts.cut) yield BROKEN_OFF;
  if (!counts.started && counts.lines > 0)
    yield 'the beginning is missing: the log does not start with "= Start"';
  if (counts.malformed > 0) {
    const lines = counts.malformed === 1 ? '1 line is' : `${counts.malformed} lines are`;
    yield `${lines} not of mtrace: damage, or several processes that wrote to one log`;
  }
}
