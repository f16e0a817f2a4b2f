/** What an ELF file says of an address in it: where it belongs, the function there, and whether lines are known. */
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  type Elf,
  readSymbolTable,
  SHT_DYNSYM,
  SHT_SYMTAB,
  stringAt,
  SYMBOL_BYTES,
  withElf,
} from '../elf.js';

const PT_LOAD = 1;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const PROGRAM_HEADER_BYTES = 56; // Elf64_Phdr
const PAGE = 0x1000;
/** Where distributions put the debug information that they split off. */
const DEBUG_DIRECTORY = '/usr/lib/debug';

export interface ElfObject {
  /** What mtrace subtracts from an address besides the load bias: 0x400000 for a classic executable, 0 for all others. */
  base: number;
  /** Whether it brings line numbers, or a file of its own does, where addr2line looks for it. */
  hasLines: boolean;
  /** The functions that contain these addresses; they are as written in the file. */
  functionsAt(addresses: readonly number[]): Promise<Map<number, string>>;
}

/** Undefined for what is no 64-bit little-endian ELF file. Throws the errors of open(2) and read(2). */
export async function readElf(path: string): Promise<ElfObject | undefined> {
  return withElf(path, async (elf) => ({
    base: await readBase(elf),
    hasLines: hasOwnLines(elf) || (await hasDebugFile(elf, path)),
    functionsAt: async (addresses) =>
      (await withElf(path, (again) => findFunctions(again, addresses))) ?? new Map<number, string>(),
  }));
}

async function readBase({ header, read }: Elf): Promise<number> {
  const size = header.readUInt16LE(56) * PROGRAM_HEADER_BYTES;
  const bytes = await read({ offset: Number(header.readBigUInt64LE(32)), size });
  for (let at = 0; at + PROGRAM_HEADER_BYTES <= bytes.length; at += PROGRAM_HEADER_BYTES) {
    if (bytes.readUInt32LE(at) !== PT_LOAD) continue;
    const start = Number(bytes.readBigUInt64LE(at + 16));
    return start - (start % PAGE);
  }
  return 0;
}

function hasOwnLines({ sections }: Elf): boolean {
  return sections.some(({ name }) => name === '.debug_info' || name === '.zdebug_info');
}

/** Looked for here, since to start addr2line for nothing takes longer than all the rest. */
async function hasDebugFile(elf: Elf, path: string): Promise<boolean> {
  const directory = dirname(resolve(path));
  const places = [directory, join(directory, '.debug'), join(DEBUG_DIRECTORY, directory)];
  const link = stringAt(await contentsOf(elf, '.gnu_debuglink'), 0);
  // In the note the identity comes after three words and "GNU".
  const id = (await contentsOf(elf, '.note.gnu.build-id')).toString('hex', 16);
  const files = [
    ...places.filter(() => link !== '').map((place) => join(place, link)),
    join(DEBUG_DIRECTORY, '.build-id', id.slice(0, 2), `${id.slice(2)}.debug`),
  ];
  const found = await Promise.all(files.map((file) => stat(file).catch(() => undefined)));
  return found.some((file) => file?.isFile());
}

async function contentsOf({ sections, read }: Elf, wanted: string): Promise<Buffer> {
  const section = sections.find(({ name }) => name === wanted);
  return section ? read(section) : Buffer.alloc(0);
}

async function findFunctions(elf: Elf, addresses: readonly number[]): Promise<Map<number, string>> {
  const table = (await readSymbolTable(elf, SHT_SYMTAB)) ?? (await readSymbolTable(elf, SHT_DYNSYM));
  if (!table) return new Map();
  const { symbols, names } = table;
  const wanted = Float64Array.from(addresses).sort();
  const found = new Map<number, string>();
  for (let at = 0; at + SYMBOL_BYTES <= symbols.length; at += SYMBOL_BYTES) {
    const kind = (symbols[at + 4] ?? 0) & 0xf;
    if (kind !== STT_FUNC && kind !== STT_GNU_IFUNC) continue;
    const start = numberAt(symbols, at + 8);
    const end = start + numberAt(symbols, at + 16);
    for (let i = firstFrom(wanted, start); (wanted[i] ?? Infinity) < end; i++) {
      const name = stringAt(names, symbols.readUInt32LE(at));
      const known = found.get(wanted[i] ?? 0);
      // Of several names for one function the shortest is the one that people know: free, not __libc_free.
      if (known === undefined || name.length < known.length) found.set(wanted[i] ?? 0, name);
    }
  }
  return found;
}

/** The first element that is not below `value`. */
function firstFrom(sorted: Float64Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function numberAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}
