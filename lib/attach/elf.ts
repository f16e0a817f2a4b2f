import { type FileHandle, open } from 'node:fs/promises';

const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const SYMBOL_BYTES = 24; // Elf64_Sym
const SECTION_BYTES = 64; // Elf64_Shdr

interface Section {
  readonly type: number;
  readonly link: number;
  readonly offset: number;
  readonly size: number;
}

/** The two things that are asked of an executable: which symbols it has, and where. */
export interface SymbolTable {
  /** The address of a defined symbol as written in the file, or undefined. */
  find(name: string): bigint | undefined;
}

const NONE: SymbolTable = { find: () => undefined };

/**
 * The symbols of a 64-bit little-endian ELF file: `dynamic` are those that it exports to addons and never strips,
 * `static` all others, mangled names and local ones included, where the file was not stripped. Any other file has none.
 * @see elf(5)
 */
export async function readSymbols(path: string, kind: 'dynamic' | 'static'): Promise<SymbolTable> {
  const file = await open(path);
  try {
    const sections = await readSections(file);
    const wanted = kind === 'dynamic' ? SHT_DYNSYM : SHT_SYMTAB;
    const symbols = sections.find((section) => section.type === wanted);
    const names = symbols && sections[symbols.link];
    return symbols && names ? table(await read(file, symbols), await read(file, names)) : NONE;
  } finally {
    await file.close();
  }
}

async function readSections(file: FileHandle): Promise<Section[]> {
  const header = await read(file, { offset: 0, size: 64 });
  const isElf64 =
    header.length === 64 && header.readUInt32BE(0) === 0x7f454c46 && header.readUInt16BE(4) === 0x0201;
  if (!isElf64) return [];
  const size = header.readUInt16LE(60) * SECTION_BYTES;
  const bytes = await read(file, { offset: Number(header.readBigUInt64LE(40)), size });
  return Array.from({ length: Math.floor(bytes.length / SECTION_BYTES) }, (_, i) => ({
    type: bytes.readUInt32LE(i * SECTION_BYTES + 4),
    offset: Number(bytes.readBigUInt64LE(i * SECTION_BYTES + 24)),
    size: Number(bytes.readBigUInt64LE(i * SECTION_BYTES + 32)),
    link: bytes.readUInt32LE(i * SECTION_BYTES + 40),
  }));
}

async function read(file: FileHandle, part: { offset: number; size: number }): Promise<Buffer> {
  const { size: fileSize } = await file.stat();
  const length = Math.max(0, Math.min(part.size, fileSize - part.offset));
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, part.offset);
  return buffer.subarray(0, bytesRead);
}

function table(symbols: Buffer, names: Buffer): SymbolTable {
  return {
    find(name) {
      // The name's place in the string table first: comparing numbers is cheaper than a hundred thousand strings.
      const at = names.indexOf(`\0${name}\0`, 0, 'latin1') + 1;
      if (at === 0) return undefined;
      for (let entry = 0; entry + SYMBOL_BYTES <= symbols.length; entry += SYMBOL_BYTES) {
        const defined = symbols.readUInt16LE(entry + 6) !== 0;
        if (defined && symbols.readUInt32LE(entry) === at) return symbols.readBigUInt64LE(entry + 8);
      }
      return undefined;
    },
  };
}
