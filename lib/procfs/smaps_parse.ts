/** smaps text to columns: what the native reader does, for captured files. The two accept and refuse the same. */
import { ProcParseError } from './errors.js';
import { MAPPING_FORM, type Mapping, parseMapping } from './maps.js';
import { Smaps, type TextColumn } from './smaps_table.js';
import { parseAmount, splitField, toLines } from './text.js';

/** The form of a line, for error messages. */
export const SMAPS_FORM = `${MAPPING_FORM}, or 'name: value' below such a line`;

const ABSENT = 0xffffffff;
const PERM_BITS: Record<string, number> = { r: 4, w: 2, x: 1, s: 8 };

/** The kernel's text as columns. Throws ProcParseError. */
export function parseSmaps(bytes: Uint8Array, file = 'smaps'): Smaps {
  const mappings: Mapping[] = [];
  const numbers = new Map<string, Map<number, number>>();
  const texts = new Map<string, Map<number, string>>();
  for (const [index, line] of toLines(bytes).entries()) {
    const field = beginsMapping(line) ? undefined : splitField(line);
    if (field === undefined) {
      const mapping = parseMapping(line);
      if (mapping === undefined) throw new ProcParseError(file, index + 1, line, SMAPS_FORM);
      mappings.push(mapping);
    } else {
      if (mappings.length === 0) throw new ProcParseError(file, index + 1, line, MAPPING_FORM);
      putField(field, mappings.length - 1, numbers, texts);
    }
  }
  return new Smaps({
    ...mappingColumns(mappings),
    numbers: [...numbers].map(([name, values]) => [name, numberColumn(values, mappings.length)]),
    texts: [...texts].map(([name, values]) => [name, textColumn(values, mappings.length)]),
  });
}

/** A field's name never looks like '7f00-'. */
function beginsMapping(line: string): boolean {
  return /^[0-9a-f]+-/.test(line);
}

function putField(
  [name, value]: [string, string],
  row: number,
  numbers: Map<string, Map<number, number>>,
  texts: Map<string, Map<number, string>>,
): void {
  const amount = parseAmount(value);
  if (amount === undefined) columnOf(texts, name).set(row, value);
  else columnOf(numbers, name).set(row, amount);
}

function columnOf<T>(columns: Map<string, Map<number, T>>, name: string): Map<number, T> {
  const known = columns.get(name);
  if (known !== undefined) return known;
  const column = new Map<number, T>();
  columns.set(name, column);
  return column;
}

function mappingColumns(mappings: Mapping[]) {
  const { index: pathIndex, strings: paths } = intern(mappings.map(({ path }) => path));
  return {
    start: BigUint64Array.from(mappings, ({ start }) => start),
    end: BigUint64Array.from(mappings, ({ end }) => end),
    offset: BigUint64Array.from(mappings, ({ offset }) => offset),
    inode: BigUint64Array.from(mappings, ({ inode }) => inode),
    dev: Uint32Array.from(mappings, ({ dev }) => devNumber(dev)),
    permBits: Uint8Array.from(mappings, ({ perms }) => permBits(perms)),
    pathIndex,
    paths,
  };
}

function numberColumn(values: Map<number, number>, length: number): Float64Array {
  return Float64Array.from({ length }, (_, row) => values.get(row) ?? Number.NaN);
}

function textColumn(values: Map<number, string>, length: number): TextColumn {
  return intern(Array.from({ length }, (_, row) => values.get(row)));
}

function intern(values: (string | undefined)[]): TextColumn {
  const strings = [...new Set(values)].filter((value) => value !== undefined);
  const places = new Map(strings.map((text, place) => [text, place]));
  return {
    index: Uint32Array.from(values, (text) => (text === undefined ? ABSENT : (places.get(text) ?? ABSENT))),
    strings,
  };
}

function devNumber(dev: string): number {
  const [major = '0', minor = '0'] = dev.split(':');
  return ((Number.parseInt(major, 16) << 20) | Number.parseInt(minor, 16)) >>> 0;
}

function permBits(perms: string): number {
  return [...perms].reduce((bits, letter) => bits | (PERM_BITS[letter] ?? 0), 0);
}
