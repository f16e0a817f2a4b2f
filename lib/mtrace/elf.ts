/** What an ELF file says of an address in it: where it belongs, the function there, and whether lines are known. */
import { type FileHandle, open } from 'node:fs/promises';

const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const PROGRAM_HEADER = 56; // Elf64_Phdr
const SECTION_HEADER = 64; // Elf64_Shdr
const SYMBOL = 24; // Elf64_Sym
const PAGE = 0x1000;

interface Section {
  name: string;
  type: number;
  link: number;
  offset: number;
  size: number;
}

export interface ElfObject {
  /** What mtrace subtracts from an address besides the load bias: 0x400000 for a classic executable, 0 for all others. */
  base: number;
  /** Whether it brings line numbers, or names the file that has them. */
  hasLines: boolean;
  /** The functions that contain these addresses; they are as written in the file. */
  functionsAt(addresses: readonly number[]): Promise<Map<number, string>>;
}

/**
 * A 64-bit little-endian ELF file; undefined for anything else. Throws the errors of open(2) and read(2).
 * @see elf(5)
 */
export async function readElf(path: string): Promise<ElfObject | undefined> {
  return withFile(path, async (file) => {
    const header = await bytesAt(file, 0, SECTION_HEADER);
    if (
      header.length < SECTION_HEADER ||
      header.readUInt32BE(0) !== 0x7f454c46 ||
      header.readUInt16BE(4) !== 0x0201
    ) {
      return undefined;
    }
    const sections = await readSections(file, header);
    const names = new Set(sections.map(({ name }) => name));
    return {
      base: await readBase(file, header),
      hasLines: ['.debug_info', '.zdebug_info', '.gnu_debuglink'].some((name) => names.has(name)),
      functionsAt: (addresses) => withFile(path, (again) => findFunctions(again, sections, addresses)),
    };
  });
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path);
  try {
    // A log may name anything, a pipe for instance.
    if (!(await file.stat()).isFile()) throw new Error(`${path} is not a regular file`);
    return await use(file);
  } finally {
    await file.close();
  }
}

async function bytesAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { size } = await file.stat();
  const there = Math.max(0, Math.min(length, size - offset));
  const { buffer, bytesRead } = await file.read(Buffer.alloc(there), 0, there, offset);
  return buffer.subarray(0, bytesRead);
}

async function readBase(file: FileHandle, header: Buffer): Promise<number> {
  const bytes = await bytesAt(
    file,
    Number(header.readBigUInt64LE(32)),
    header.readUInt16LE(56) * PROGRAM_HEADER,
  );
  for (let at = 0; at + PROGRAM_HEADER <= bytes.length; at += PROGRAM_HEADER) {
    if (bytes.readUInt32LE(at) !== PT_LOAD) continue;
    const start = Number(bytes.readBigUInt64LE(at + 16));
    return start - (start % PAGE);
  }
  return 0;
}

async function readSections(file: FileHandle, header: Buffer): Promise<Section[]> {
  const bytes = await bytesAt(
    file,
    Number(header.readBigUInt64LE(40)),
    header.readUInt16LE(60) * SECTION_HEADER,
  );
  const count = Math.floor(bytes.length / SECTION_HEADER);
  const at = (i: number) => ({
    nameAt: bytes.readUInt32LE(i * SECTION_HEADER),
    type: bytes.readUInt32LE(i * SECTION_HEADER + 4),
    offset: Number(bytes.readBigUInt64LE(i * SECTION_HEADER + 24)),
    size: Number(bytes.readBigUInt64LE(i * SECTION_HEADER + 32)),
    link: bytes.readUInt32LE(i * SECTION_HEADER + 40),
  });
  const sections = Array.from({ length: count }, (_, i) => at(i));
  const strings = sections[header.readUInt16LE(62)];
  const names = strings ? await bytesAt(file, strings.offset, strings.size) : Buffer.alloc(0);
  return sections.map(({ nameAt, ...section }) => ({ ...section, name: stringAt(names, nameAt) }));
}

async function findFunctions(
  file: FileHandle,
  sections: Section[],
  addresses: readonly number[],
): Promise<Map<number, string>> {
  const table =
    sections.find(({ type }) => type === SHT_SYMTAB) ?? sections.find(({ type }) => type === SHT_DYNSYM);
  const strings = table && sections[table.link];
  if (!table || !strings) return new Map();
  const symbols = await bytesAt(file, table.offset, table.size);
  const names = await bytesAt(file, strings.offset, strings.size);
  const wanted = Float64Array.from(addresses).sort();
  const found = new Map<number, string>();
  for (let at = 0; at + SYMBOL <= symbols.length; at += SYMBOL) {
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

function stringAt(names: Buffer, at: number): string {
  const end = names.indexOf(0, at);
  return names.toString('utf8', at, end < 0 ? names.length : end);
}
