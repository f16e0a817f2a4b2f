/** The sections of an ELF file, for those who look symbols up in it. */
import { type FileHandle, open } from 'node:fs/promises';

export const SHT_SYMTAB = 2;
export const SHT_DYNSYM = 11;
/** Bytes of an Elf64_Sym. */
export const SYMBOL_BYTES = 24;
const HEADER_BYTES = 64; // Elf64_Ehdr
const SECTION_BYTES = 64; // Elf64_Shdr

interface Part {
  readonly offset: number;
  readonly size: number;
}

export interface Section extends Part {
  readonly name: string;
  readonly type: number;
  readonly link: number;
}

/** An open file. Offsets and sizes that point past its end give what is there. */
export interface Elf {
  readonly header: Buffer;
  readonly sections: readonly Section[];
  read(part: Part): Promise<Buffer>;
}

/**
 * Opens a 64-bit little-endian ELF file for `use`; undefined for any other file. Throws the errors of open(2) and
 * read(2), and for what is not a regular file.
 * @see elf(5)
 */
export async function withElf<T>(path: string, use: (elf: Elf) => Promise<T>): Promise<T | undefined> {
  const file = await open(path);
  try {
    const stat = await file.stat();
    // A log may name anything, a pipe for instance.
    if (!stat.isFile()) throw new Error(`${path} is not a regular file`);
    const read = (part: Part) => readPart(file, part, stat.size);
    const header = await read({ offset: 0, size: HEADER_BYTES });
    if (!isElf64(header)) return undefined;
    return await use({ header, sections: await readSections(header, read), read });
  } finally {
    await file.close();
  }
}

/** The symbols of that type with their names; undefined where the file has none. */
export async function readSymbolTable(
  { sections, read }: Elf,
  type: typeof SHT_SYMTAB | typeof SHT_DYNSYM,
): Promise<{ symbols: Buffer; names: Buffer } | undefined> {
  const table = sections.find((section) => section.type === type);
  const strings = table && sections[table.link];
  return strings && { symbols: await read(table), names: await read(strings) };
}

/** The string that begins at `at`. */
export function stringAt(names: Buffer, at: number): string {
  const end = names.indexOf(0, at);
  return names.toString('utf8', at, end < 0 ? names.length : end);
}

function isElf64(header: Buffer): boolean {
  return (
    header.length === HEADER_BYTES &&
    header.readUInt32BE(0) === 0x7f454c46 &&
    header.readUInt16BE(4) === 0x0201
  );
}

async function readPart(file: FileHandle, { offset, size }: Part, fileSize: number): Promise<Buffer> {
  const length = Math.max(0, Math.min(size, fileSize - offset));
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

async function readSections(header: Buffer, read: Elf['read']): Promise<Section[]> {
  const size = header.readUInt16LE(60) * SECTION_BYTES;
  const bytes = await read({ offset: Number(header.readBigUInt64LE(40)), size });
  const parts = Array.from({ length: Math.floor(bytes.length / SECTION_BYTES) }, (_, i) => ({
    nameAt: bytes.readUInt32LE(i * SECTION_BYTES),
    type: bytes.readUInt32LE(i * SECTION_BYTES + 4),
    offset: Number(bytes.readBigUInt64LE(i * SECTION_BYTES + 24)),
    size: Number(bytes.readBigUInt64LE(i * SECTION_BYTES + 32)),
    link: bytes.readUInt32LE(i * SECTION_BYTES + 40),
  }));
  const strings = parts[header.readUInt16LE(62)];
  const names = strings ? await read(strings) : Buffer.alloc(0);
  return parts.map(({ nameAt, ...part }) => ({ ...part, name: stringAt(names, nameAt) }));
}
