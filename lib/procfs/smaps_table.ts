/** The memory map with its sizes, column by column: 60,000 mappings are 60,000 numbers a column, not 60,000 objects. */
import { isDeleted, type Mapping } from './maps.js';

/** The fields of smaps and smaps_rollup by their kernel name, and what they are called in a row. */
const ROW_NAMES = {
  Size: 'size',
  KernelPageSize: 'kernelPageSize',
  MMUPageSize: 'mmuPageSize',
  Rss: 'rss',
  Pss: 'pss',
  Pss_Dirty: 'pssDirty',
  Pss_Anon: 'pssAnon',
  Pss_File: 'pssFile',
  Pss_Shmem: 'pssShmem',
  Shared_Clean: 'sharedClean',
  Shared_Dirty: 'sharedDirty',
  Private_Clean: 'privateClean',
  Private_Dirty: 'privateDirty',
  Referenced: 'referenced',
  Anonymous: 'anonymous',
  KSM: 'ksm',
  LazyFree: 'lazyFree',
  AnonHugePages: 'anonHugePages',
  ShmemPmdMapped: 'shmemPmdMapped',
  FilePmdMapped: 'filePmdMapped',
  Shared_Hugetlb: 'sharedHugetlb',
  Private_Hugetlb: 'privateHugetlb',
  Swap: 'swap',
  SwapPss: 'swapPss',
  Locked: 'locked',
  THPeligible: 'thpEligible',
  ProtectionKey: 'protectionKey',
} as const;

type KnownFields = { [Name in keyof typeof ROW_NAMES as (typeof ROW_NAMES)[Name]]?: number };

/**
 * One mapping with its fields: sizes in bytes; `thpEligible` and `protectionKey` are plain numbers. A field that the
 * kernel does not have is absent, and one that this list does not have stands under its kernel name.
 * @see proc_pid_smaps(5)
 */
export interface SmapsRow extends Mapping, KnownFields {
  /** The kernel's two-letter codes: 'rd', 'wr', 'hg'. */
  vmFlags?: string[];
  [kernelName: string]: bigint | number | string | string[] | boolean | undefined;
}

/** A textual field: `index[row]` points into `strings`; 0xffffffff where the mapping does not have the field. */
export interface TextColumn {
  index: Uint32Array;
  strings: string[];
}

/** What a reader of smaps delivers. Every array has one element for each mapping, in ascending order of address. */
export interface SmapsColumns {
  start: BigUint64Array;
  end: BigUint64Array;
  offset: BigUint64Array;
  inode: BigUint64Array;
  /** major << 20 | minor. */
  dev: Uint32Array;
  /** read 4, write 2, execute 1, shared 8. */
  permBits: Uint8Array;
  /** Points into `paths`. */
  pathIndex: Uint32Array;
  paths: string[];
  numbers: [name: string, values: Float64Array][];
  texts: [name: string, column: TextColumn][];
}

const PERMS = Array.from({ length: 16 }, (_, bits) =>
  [bits & 4 ? 'r' : '-', bits & 2 ? 'w' : '-', bits & 1 ? 'x' : '-', bits & 8 ? 's' : 'p'].join(''),
);

export class Smaps implements Iterable<SmapsRow> {
  /** How many mappings there are. */
  readonly length: number;
  readonly start: BigUint64Array;
  readonly end: BigUint64Array;
  readonly offset: BigUint64Array;
  readonly inode: BigUint64Array;
  /** Each path once; `pathIndex` says which mapping has which. */
  readonly paths: readonly string[];
  readonly pathIndex: Uint32Array;
  readonly #dev: Uint32Array;
  readonly #permBits: Uint8Array;
  readonly #numbers: ReadonlyMap<string, Float64Array>;
  readonly #texts: ReadonlyMap<string, TextColumn>;

  constructor(columns: SmapsColumns) {
    this.length = columns.start.length;
    this.start = columns.start;
    this.end = columns.end;
    this.offset = columns.offset;
    this.inode = columns.inode;
    this.paths = columns.paths;
    this.pathIndex = columns.pathIndex;
    this.#dev = columns.dev;
    this.#permBits = columns.permBits;
    this.#numbers = new Map(columns.numbers);
    this.#texts = new Map(columns.texts);
  }

  /** The kernel names of all fields that some mapping has. */
  get fields(): string[] {
    return [...this.#numbers.keys(), ...this.#texts.keys()];
  }

  /**
   * The numeric field with this kernel name ('Rss', 'Private_Dirty'): bytes, or the bare number where the kernel gives
   * no unit; NaN for a mapping that lacks it. Undefined when this kernel has no such field. Not to be written to: columns
   * that are all zero may be one array.
   */
  column(name: string): Float64Array | undefined {
    return this.#numbers.get(name);
  }

  /** The sum of a numeric field over all mappings; 0 when this kernel has no such field. */
  total(name: string): number {
    let sum = 0;
    for (const value of this.#numbers.get(name) ?? []) if (!Number.isNaN(value)) sum += value;
    return sum;
  }

  /** The textual field with this kernel name ('VmFlags') of one mapping. */
  text(name: string, index: number): string | undefined {
    const column = this.#texts.get(name);
    return column?.strings[column.index[index] ?? -1];
  }

  perms(index: number): string {
    return formatPerms(this.#permBits[index] ?? 0);
  }

  path(index: number): string {
    return this.paths[this.pathIndex[index] ?? -1] ?? '';
  }

  /** 'fe:00', as the kernel writes it. */
  dev(index: number): string {
    return formatDev(this.#dev[index] ?? 0);
  }

  /** The index of the mapping that `address` lies in, or -1. */
  indexOf(address: bigint): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.end[middle] ?? 0n) <= address) low = middle + 1;
      else high = middle;
    }
    return low < this.length && (this.start[low] ?? 0n) <= address ? low : -1;
  }

  /** One mapping as an object; like Array's `at`, negative indexes count from the end. */
  at(index: number): SmapsRow | undefined {
    const i = index < 0 ? this.length + index : index;
    const start = this.start[i];
    const end = this.end[i];
    const offset = this.offset[i];
    const inode = this.inode[i];
    if (start === undefined || end === undefined || offset === undefined || inode === undefined)
      return undefined;
    const path = this.path(i);
    const mapping = { start, end, perms: this.perms(i), offset, dev: this.dev(i), inode, path };
    return { ...mapping, deleted: isDeleted(path), ...this.#fieldsOf(i) };
  }

  *[Symbol.iterator](): Generator<SmapsRow, void, undefined> {
    for (let i = 0; i < this.length; i++) {
      const row = this.at(i);
      if (row !== undefined) yield row;
    }
  }

  #fieldsOf(index: number): Record<string, number | string | string[]> {
    const fields: Record<string, number | string | string[]> = {};
    for (const [name, values] of this.#numbers) {
      const value = values[index];
      if (value !== undefined && !Number.isNaN(value)) fields[rowName(name)] = value;
    }
    for (const name of this.#texts.keys()) {
      const value = this.text(name, index);
      if (value === undefined) continue;
      if (name === 'VmFlags') fields.vmFlags = value.split(' ').filter(Boolean);
      else fields[name] = value;
    }
    return fields;
  }
}

/** 'rw-p' from the bits of SmapsColumns. */
export function formatPerms(bits: number): string {
  return PERMS[bits & 15] ?? '';
}

/** 'fe:00' from the kernel's number. */
export function formatDev(dev: number): string {
  return `${hex2(dev >>> 20)}:${hex2(dev & 0xfffff)}`;
}

function rowName(kernelName: string): string {
  return isKnown(kernelName) ? ROW_NAMES[kernelName] : kernelName;
}

function isKnown(name: string): name is keyof typeof ROW_NAMES {
  return Object.hasOwn(ROW_NAMES, name);
}

function hex2(value: number): string {
  return value.toString(16).padStart(2, '0');
}
