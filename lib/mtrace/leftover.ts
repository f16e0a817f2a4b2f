/** The blocks that were not freed. Pure. */

/** Of each block its address, its size in bytes, the line of the log that allocated it, and its site's number. */
export interface Columns {
  readonly address: BigUint64Array;
  readonly size: Float64Array;
  readonly line: Float64Array;
  readonly site: Uint32Array;
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

/** All blocks of one call site. */
export interface SiteTotal {
  site: string;
  blocks: number;
  bytes: number;
  /** The lines of the log that allocated the oldest and the newest of them. */
  first: number;
  last: number;
}

/** Blocks in columns, since there may be millions; in no order. */
export class Leftover {
  readonly blocks: number;
  readonly bytes: number;
  readonly #columns: Columns;
  readonly #sites: readonly string[];

  /** `sites` are the texts of all call sites, by number. */
  constructor(columns: Columns, sites: readonly string[]) {
    this.#columns = columns;
    this.#sites = sites;
    this.blocks = columns.site.length;
    this.bytes = columns.size.reduce((sum, size) => sum + size, 0);
  }

  *[Symbol.iterator](): Generator<LiveBlock> {
    const { address, size, line } = this.#columns;
    for (let i = 0; i < this.blocks; i++) {
      const place = { site: this.#siteOf(i), line: line[i] ?? 0 };
      yield { address: address[i] ?? 0n, size: size[i] ?? 0, ...place };
    }
  }

  /** By call site, in no order. */
  sites(): SiteTotal[] {
    const totals = new Map<number, SiteTotal>();
    this.#columns.site.forEach((number, i) => {
      const line = this.#columns.line[i] ?? 0;
      const total = totals.get(number) ?? {
        ...{ site: this.#siteOf(i), blocks: 0, bytes: 0, first: line, last: line },
      };
      total.blocks++;
      total.bytes += this.#columns.size[i] ?? 0;
      total.first = Math.min(total.first, line);
      total.last = Math.max(total.last, line);
      totals.set(number, total);
    });
    return [...totals.values()];
  }

  #siteOf(block: number): string {
    return this.#sites[this.#columns.site[block] ?? 0] ?? '';
  }
}
