import { readSymbolTable, SHT_DYNSYM, SHT_SYMTAB, SYMBOL_BYTES, withElf } from '../elf.js';

/** The two things that are asked of an executable: which symbols it has, and where. */
export interface SymbolTable {
  /** The address of a defined symbol as written in the file, or undefined. */
  find(name: string): bigint | undefined;
}

const NONE: SymbolTable = { find: () => undefined };

/**
 * The symbols of a 64-bit little-endian ELF file: `dynamic` are those that it exports to addons and never strips,
 * `static` all others, mangled names and local ones included, where the file was not stripped. Any other file has none.
 */
export async function readSymbols(path: string, kind: 'dynamic' | 'static'): Promise<SymbolTable> {
  const type = kind === 'dynamic' ? SHT_DYNSYM : SHT_SYMTAB;
  const found = await withElf(path, (elf) => readSymbolTable(elf, type));
  return found ? table(found.symbols, found.names) : NONE;
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
