/** What was not freed, by call site. Pure. */
import { basename } from 'node:path';
import { parseSite } from './place.js';
import type { Oddity, Trace } from './trace.js';

/** The blocks of one call site that were not freed. */
export interface LeakSite {
  /** As mtrace wrote it: `object:(symbol+offset)[0xaddress]`, parts missing where glibc did not know them. */
  site: string;
  /** The function, demangled. */
  symbol?: string;
  /** `file:line`, where debug information tells. */
  source?: string;
  blocks: number;
  /** Bytes asked for; what malloc adds is not in them. */
  bytes: number;
  /**
   * When the oldest and the newest of these blocks were allocated. The logs have no clock: it is the line of the log,
   * counted from 1.
   */
  first: number;
  last: number;
}

/** The blocks that one program or library allocated. */
export interface LeakObject {
  /** As the log names it; empty for callers that glibc knew no object of. */
  object: string;
  blocks: number;
  bytes: number;
}

/** The documented answer of `memprobe leaks --json`; addresses stand there as hexadecimal strings. */
export interface LeakReport {
  leaked: { blocks: number; bytes: number };
  /** Most bytes first. */
  sites: LeakSite[];
  /** How many frees (and reallocs) there were of addresses that were not allocated, as far as the log knows. */
  unknownFrees: number;
  /** Whether the log is not whole; `reasons` say why. */
  partial: boolean;
  reasons: string[];
  /** What hindered the names and lines, in words. */
  notes: string[];
  /** The blocks by program or library, most bytes first. */
  objects: LeakObject[];
  /** The first hundred frees of unknown addresses and duplicate allocations. */
  oddities: Oddity[];
  /** Allocations at addresses that had not been freed; threads race for the log, so there may be a few. */
  duplicates: number;
  /** Allocations that returned NULL. */
  failed: number;
  lines: number;
  operations: number;
  /** Whether the program called muntrace(3). */
  ended: boolean;
}

/** What stands for the site of a call that glibc knew no caller of. */
export const NO_CALLER = 'unknown caller';

export function findLeaks(trace: Trace): LeakReport {
  const { unknownFrees, partial, reasons, oddities, duplicates, failed, lines, operations, ended } = trace;
  const sites = trace.live
    .sites()
    .map((total) => ({ ...total, site: total.site || NO_CALLER }))
    .sort((a, b) => b.bytes - a.bytes || b.blocks - a.blocks || a.first - b.first);
  return {
    leaked: { blocks: trace.live.blocks, bytes: trace.live.bytes },
    ...{ sites, unknownFrees, partial, reasons, notes: [], objects: groupByObject(sites) },
    ...{ oddities, duplicates, failed, lines, operations, ended },
  };
}

function groupByObject(sites: readonly LeakSite[]): LeakObject[] {
  const objects = new Map<string, LeakObject>();
  for (const { site, blocks, bytes } of sites) {
    const object = parseSite(site)?.object ?? '';
    const { blocks: blocksBefore, bytes: bytesBefore } = objects.get(object) ?? { blocks: 0, bytes: 0 };
    objects.set(object, { object, blocks: blocksBefore + blocks, bytes: bytesBefore + bytes });
  }
  return [...objects.values()].sort((a, b) => b.bytes - a.bytes);
}

/** Whether that is Node's executable, with V8, libuv and OpenSSL inside. Addons are objects of their own. */
export function isNode({ object }: Pick<LeakObject, 'object'>): boolean {
  return /^node(js)?$/.test(basename(object));
}

/** Whether these blocks are what Buffers and ArrayBuffers of JavaScript have their bytes in. */
export function isBuffers({ site, symbol = '' }: Pick<LeakSite, 'site' | 'symbol'>): boolean {
  const ours = isNode({ object: parseSite(site)?.object ?? '' });
  return ours && /NodeArrayBufferAllocator/.test(symbol + site);
}
