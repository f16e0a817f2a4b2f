/** Reads one line of the log, byte by byte. parser.ts shows what they look like. */
import { LONGEST_LINE } from './lines.js';
import { NO_SITE, SHORTEST_SITE, type Sites } from './sites.js';

/** What stands around the site in a line is shorter than the difference. */
const LONGEST_SITE = LONGEST_LINE - 64;
const NOWHERE = 2 ** 30;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
export const BANG = 0x21;
export const PLUS = 0x2b;
export const MINUS = 0x2d;
const ZERO = 0x30;
export const LESS = 0x3c;
const EQUALS = 0x3d;
export const GREATER = 0x3e;
const AT = 0x40;
const BRACKET = 0x5d;
const ZERO_X = 0x3078;
/** What stands for the lines `= Start` and `= End` among the operations. */
export const START_MARK = 0;
export const END_MARK = 1;
const START = Buffer.from('= Start');
export const END = Buffer.from('= End');
/** What printf makes of NULL. */
const NIL = Buffer.from('(nil)');

/** The value of each hexadecimal digit, and of two of them read as one number; -1 for everything else. */
const DIGIT = new Int8Array(1 << 8).fill(-1);
const TWO_DIGITS = new Int16Array(1 << 16).fill(-1);
const HEXADECIMAL = [...Buffer.from('0123456789abcdefABCDEF')];
for (const first of HEXADECIMAL) DIGIT[first] = hexadecimal(first);
for (const first of HEXADECIMAL) {
  for (const second of HEXADECIMAL)
    TWO_DIGITS[(first << 8) | second] = hexadecimal(first) * 16 + hexadecimal(second);
}

const IS_OPERATION = new Uint8Array(1 << 8);
for (const operation of [PLUS, MINUS, LESS, GREATER, BANG]) IS_OPERATION[operation] = 1;

function hexadecimal(digit: number): number {
  return Number.parseInt(String.fromCharCode(digit), 16);
}

/** What the last line that was read says. An address is the signed 32-bit halves of its 64 bits. */
export class Line {
  /** One of the characters that stand for a call, or START_MARK or END_MARK. */
  operation = START_MARK;
  caller = NO_SITE;
  high = 0;
  low = 0;
  /** Bytes; of operations that have one. */
  size = 0;

  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #sites: Sites;
  #nextBracket = 0;

  /** `bytes` may change; `reset` must be called then. */
  constructor(bytes: Buffer, sites: Sites) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#sites = sites;
  }

  reset(): void {
    this.#nextBracket = 0;
  }

  get isNull(): boolean {
    return this.high === 0 && this.low === 0;
  }

  /** Reads the line that begins here; the answer is where the next one does, or 0 where this one is not of mtrace's. */
  read(line: number): number {
    return this.#bytes[line] === EQUALS ? this.#mark(line) : this.#call(line);
  }

  // What reads something below takes the place where it begins and returns the place behind it, 0 where it is not there.

  /** `= Start` and `= End`. */
  #mark(line: number): number {
    const start = this.#skip(line, START);
    const next = this.#lineEnd(start || this.#skip(line, END));
    if (next === 0) return 0;
    this.operation = start === 0 ? END_MARK : START_MARK;
    return next;
  }

  /** A call of the allocator. */
  #call(line: number): number {
    const at = this.#site(line);
    if (at < 0) return 0;
    const operation = this.#bytes[at] ?? 0;
    if (IS_OPERATION[operation] !== 1 || this.#bytes[at + 1] !== SPACE) return 0;
    const address = this.#address(at + 2) || this.#nil(at + 2);
    const isSized = operation !== MINUS && operation !== LESS;
    const next = this.#lineEnd(isSized ? this.#size(address) : address);
    if (address === 0 || next === 0) return 0;
    this.operation = operation;
    return next;
  }

  #skip(at: number, word: Uint8Array): number {
    for (let i = 0; i < word.length; i++) if (this.#bytes[at + i] !== word[i]) return 0;
    return at + word.length;
  }

  /** `@ SITE `, or nothing at all; -1 for what is neither. */
  #site(line: number): number {
    this.caller = NO_SITE;
    if (this.#bytes[line] !== AT || this.#bytes[line + 1] !== SPACE) return line;
    const start = line + 2;
    const guess = this.#sites.guess(this.#view, start);
    const end = start + this.#sites.lengthOf(guess);
    if (guess === NO_SITE || !this.#isSiteEnd(end)) return this.#newSite(start);
    this.caller = guess;
    return end + 1;
  }

  #newSite(start: number): number {
    let end = this.#bracket(start);
    while (end > 0 && !this.#isSiteEnd(end)) end = this.#bracket(end);
    this.caller = this.#lookUp(start, end);
    return this.caller === NO_SITE ? -1 : end + 1;
  }

  /** A path may have spaces and brackets, and stranger things: `] `, an operation and its address end a site. */
  #isSiteEnd(end: number): boolean {
    const bytes = this.#bytes;
    if (bytes[end] !== SPACE || IS_OPERATION[bytes[end + 1] ?? 0] !== 1 || bytes[end + 2] !== SPACE)
      return false;
    return bytes[end + 3] === ZERO || bytes[end + 3] === NIL[0];
  }

  /** The place behind the next `]`, 0 where there is none. It may lie lines ahead, and is not looked for again then. */
  #bracket(from: number): number {
    if (this.#nextBracket <= from) this.#nextBracket = this.#bytes.indexOf(BRACKET, from) + 1 || NOWHERE;
    return this.#nextBracket < NOWHERE ? this.#nextBracket : 0;
  }

  #lookUp(start: number, end: number): number {
    if (end - start < SHORTEST_SITE || end - start > LONGEST_SITE) return NO_SITE;
    const known = this.#sites.find(this.#view, start, end);
    if (known !== NO_SITE) return this.#sites.learn(known);
    const text = this.#bytes.subarray(start, end);
    if (text.includes(NEWLINE) || text.includes(0)) return NO_SITE;
    return this.#sites.learn(this.#sites.add(this.#view, start, end));
  }

  #address(start: number): number {
    if (this.#view.getUint16(start) !== ZERO_X) return 0;
    let at = start + 2;
    let high = 0;
    let low = 0;
    for (let four = this.#fourDigits(at); four >= 0; four = this.#fourDigits((at += 4))) {
      high = (high << 16) | (low >>> 16);
      low = (low << 16) | four;
    }
    for (let digit = this.#digit(at); digit >= 0; digit = this.#digit(++at)) {
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
    }
    this.high = high;
    this.low = low;
    return at - start > 2 && at - start <= 18 ? at : 0;
  }

  /** Negative where there are not as many. */
  #fourDigits(at: number): number {
    const text = this.#view.getInt32(at);
    return ((TWO_DIGITS[text >>> 16] ?? -1) << 8) | (TWO_DIGITS[text & 0xffff] ?? -1);
  }

  #digit(at: number): number {
    return DIGIT[this.#bytes[at] ?? 0] ?? -1;
  }

  #nil(at: number): number {
    this.high = 0;
    this.low = 0;
    return this.#skip(at, NIL);
  }

  /** ` 0x10`, or ` 0`. */
  #size(start: number): number {
    if (this.#bytes[start] !== SPACE) return 0;
    const first = start + (this.#view.getUint16(start + 1) === ZERO_X ? 3 : 1);
    let at = first;
    let size = 0;
    for (let digit = this.#digit(at); digit >= 0; digit = this.#digit(++at)) size = size * 16 + digit;
    this.size = size;
    return at > first && at - first <= 16 ? at : 0;
  }

  /** A carriage return is forgiven. */
  #lineEnd(end: number): number {
    if (end === 0) return 0;
    const at = this.#bytes[end] === RETURN ? end + 1 : end;
    return this.#bytes[at] === NEWLINE ? at + 1 : 0;
  }
}
