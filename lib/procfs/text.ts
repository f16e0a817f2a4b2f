/** What the parsers share: bytes to lines, the kernel's escapes, and the ways to say "malformed". */
import { ProcParseError } from './errors.js';

/** Lines without their newline; an unfinished last line counts. Bytes that are not UTF-8 become U+FFFD. */
export function toLines(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Parses every line, or says which one is malformed. */
export function mapLines<T>(
  bytes: Uint8Array,
  file: string,
  expected: string,
  parse: (line: string) => T | undefined,
): T[] {
  return toLines(bytes).map((line, index) => {
    const row = parse(line);
    if (row === undefined) throw new ProcParseError(file, index + 1, line, expected);
    return row;
  });
}

/** `name: value` lines, as in meminfo and status. */
export function splitField(line: string): [name: string, value: string] | undefined {
  const colon = line.indexOf(':');
  return colon > 0 ? [line.slice(0, colon), trimBlanks(line.slice(colon + 1))] : undefined;
}

/** Up to 15 digits any number, and 1024 times it, is exact; what is longer stays text. */
const NUMBER = /^(\d{1,15})( kB)?$/;

/** Bytes where the kernel says kB, else the bare number; undefined for anything else. */
export function parseAmount(value: string): number | undefined {
  const match = NUMBER.exec(value);
  if (match === null) return undefined;
  return Number(match[1]) * (match[2] === undefined ? 1 : 1024);
}

/** A whole number in decimal digits. */
export function parseCount(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
}

/** Undoes the kernel's octal escapes (\012 for a newline) of those characters that the file in question escapes. */
export function unescapeOctal(text: string, escaped: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\([0-7]{3})/g, (whole, octal: string) => {
    const character = String.fromCharCode(Number.parseInt(octal, 8));
    return escaped.includes(character) ? character : whole;
  });
}

function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
}
