/**
 * The memory map as the attribution reads it: plain numbers, one mapping at a time, nothing allocated per mapping.
 *
 * User addresses stay below 2^53 on every Linux machine, so numbers are exact here; only [vsyscall] lies above,
 * and it is told by its name.
 */
import type { Smaps } from '../procfs/smaps.js';

export interface Row {
  index: number;
  start: number;
  end: number;
  perms: string;
  path: string;
  rss: number;
  swap: number;
  /** Resident bytes that belong to no file. */
  anonymous: number;
  /** Resident bytes that were written and lie nowhere else yet: anonymous ones, and those of a file before write-back. */
  dirty: number;
  /** Resident bytes in transparent huge pages. */
  huge: number;
}

type Field = 'Rss' | 'Pss' | 'Swap' | 'Anonymous' | 'AnonHugePages' | 'Shared_Dirty' | 'Private_Dirty';

export class Rows {
  /** How many mappings there are. */
  readonly length: number;
  readonly #smaps: Smaps;
  readonly #columns: Record<Field, Float64Array>;

  constructor(smaps: Smaps) {
    this.#smaps = smaps;
    this.length = smaps.length;
    const column = (name: Field) => smaps.column(name) ?? new Float64Array(smaps.length);
    this.#columns = {
      Rss: column('Rss'),
      Pss: column('Pss'),
      Swap: column('Swap'),
      Anonymous: column('Anonymous'),
      AnonHugePages: column('AnonHugePages'),
      Shared_Dirty: column('Shared_Dirty'),
      Private_Dirty: column('Private_Dirty'),
    };
  }

  /** Adds a mapping to the sums over the process. */
  addTo(sums: { rss: number; pss: number; swap: number }, index: number): void {
    sums.rss += this.#columns.Rss[index] || 0;
    sums.pss += this.#columns.Pss[index] || 0;
    sums.swap += this.#columns.Swap[index] || 0;
  }

  /** Whether a mapping holds nothing, in memory or in swap: to be asked before an object is made of it. */
  isEmpty(index: number): boolean {
    return !(this.#columns.Rss[index] || this.#columns.Swap[index]);
  }

  hasHugePages(index: number): boolean {
    return (this.#columns.AnonHugePages[index] ?? 0) > 0;
  }

  /** The file that is mapped executable here: a program or a library. */
  binaryAt(index: number): string | undefined {
    if (this.#smaps.perms(index)[2] !== 'x') return undefined;
    const path = this.#smaps.path(index);
    return path.startsWith('/') ? path : undefined;
  }

  /** A mapping by its place; fields that the kernel did not give (NaN) are 0. */
  at(index: number): Row | undefined {
    if (index < 0 || index >= this.length) return undefined;
    const smaps = this.#smaps;
    return {
      index,
      start: Number(smaps.start[index]),
      end: Number(smaps.end[index]),
      perms: smaps.perms(index),
      path: smaps.path(index),
      rss: this.#columns.Rss[index] || 0,
      swap: this.#columns.Swap[index] || 0,
      anonymous: this.#columns.Anonymous[index] || 0,
      dirty: (this.#columns.Shared_Dirty[index] || 0) + (this.#columns.Private_Dirty[index] || 0),
      huge: this.#columns.AnonHugePages[index] || 0,
    };
  }
}

/** What untold memory without any name is called. */
export const UNNAMED = 'anonymous memory (mmap)';

/** Memory without a file behind it; the kernel shows a name given by prctl(PR_SET_VMA_ANON_NAME) as [anon:NAME]. */
export function isAnonymous(row: Row): boolean {
  return row.path === '' || row.path.startsWith('[anon:');
}

export function isReserved(row: Row): boolean {
  return row.perms.startsWith('---');
}
