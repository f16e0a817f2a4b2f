/**
 * The log of mtrace(3), byte by byte. glibc writes, one line for each call:
 *
 *     = Start
 *     @ ./app:(main+1c)[0x115c] + 0x55d0c8b732a0 0x10      malloc, calloc, memalign: the block and its size
 *     @ ./app:(main+2c)[0x116c] < 0x55d0c8b732a0           realloc: the old block ...
 *     @ ./app:(main+2c)[0x116c] > 0x55d0c8b736d0 0x1000    ... and the new one
 *     @ ./app:[0x1180] - 0x55d0c8b736d0                    free
 *     @ ./app:[0x1190] ! 0x55d0c8b736d0 0xffffffffffff     a realloc that failed
 *     = End
 *
 * The address in brackets is relative to where the object is loaded; what glibc could not find out of
 * `object:(symbol+offset)` is missing. `= End` is written by muntrace() only, not at a program's end.
 */
import { emptyLog, notMtrace } from './errors.js';
import { LONGEST_LINE, Lines } from './lines.js';
import { joinAddress, LiveBlocks } from './live.js';
import { NO_SITE, SHORTEST_SITE, Sites } from './sites.js';

/** What the log says that cannot be: a free of what was not allocated, or an allocation where a block still is. */
export interface Oddity {
  kind: 'unknown-free' | 'duplicate';
  /** The call that it happened in. */
  call: 'malloc' | 'free' | 'realloc';
  address: bigint;
  /** The line of the log, counted from 1. */
  line: number;
  /** The call site as the log has it; empty where it has none. */
  site: string;
}

/** What stands around the site in a line is shorter than the difference. */
const LONGEST_SITE = LONGEST_LINE - 64;
/** A file whose first MiB holds nothing of mtrace's is not read to its end. */
const PATIENCE = 1 << 20;
const HEAD = 256;
const NOWHERE = 2 ** 30;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const BANG = 0x21;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const LESS = 0x3c;
const EQUALS = 0x3d;
const GREATER = 0x3e;
const AT = 0x40;
const BRACKET = 0x5d;
const ZERO_X = 0x3078;
const START = Buffer.from('= Start');
const END = Buffer.from('= End');
/** What printf makes of NULL. */
const NIL = Buffer.from('(nil)');

/** The value of each hexadecimal digit, and of two of them read as one number; -1 for everything else. */
const DIGIT = new Int8Array(1 << 8).fill(-1);
const TWO_DIGITS = new Int16Array(1 << 16).fill(-1);
const HEXADECIMAL = [...Buffer.from('0123456789abcdefABCDEF')];
for (const first of HEXADECIMAL) DIGIT[first] = Number.parseInt(String.fromCharCode(first), 16);
for (const first of HEXADECIMAL) {
  for (const second of HEXADECIMAL) TWO_DIGITS[(first << 8) | second] = (DIGIT[first]! << 4) | DIGIT[second]!;
}

const IS_OPERATION = new Uint8Array(1 << 8);
for (const operation of [PLUS, MINUS, LESS, GREATER, BANG]) IS_OPERATION[operation] = 1;

/** Fed with chunks that may end anywhere; memory grows with the live blocks and the distinct call sites only. */
export class MtraceParser {
  readonly live = new LiveBlocks();
  readonly sites = new Sites();
  /** Lines read so far, and bytes. */
  lines = 0;
  bytes = 0;
  /** Lines that are calls of the allocator. */
  operations = 0;
  /** Allocations that returned NULL. */
  failed = 0;
  /** Lines that mtrace does not write: two processes on one log, or damage. */
  malformed = 0;
  unknownFrees = 0;
  duplicates = 0;
  /** Whether `= Start` and `= End` were there. */
  started = false;
  ended = false;
  /** Whether the last line breaks off. */
  cut = false;

  readonly #report: (oddity: Oddity) => void;
  readonly #lines: Lines;
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #head = new Uint8Array(HEAD);
  #nextBracket = 0;
  /** Of the line in hand. */
  #caller = NO_SITE;
  #high = 0;
  #low = 0;
  #length = 0;

  constructor(report: (oddity: Oddity) => void = () => {}) {
    this.#report = report;
    this.#lines = new Lines(
      (start, end) => this.#parse(start, end),
      () => this.#malformedLine(),
    );
    this.#bytes = this.#lines.bytes;
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
  }

  /** Throws `ERR_MEMPROBE_NOT_MTRACE` once it is clear that this is no log. The chunk may be reused afterwards. */
  push(chunk: Uint8Array): void {
    const patience = PATIENCE - this.bytes;
    if (patience <= 0 || chunk.length < patience) return this.#feed(chunk);
    // Looked at after exactly as many bytes, wherever the chunks end.
    this.#feed(chunk.subarray(0, patience));
    this.#expectLog();
    this.#feed(chunk.subarray(patience));
  }

  /** To be called once after the last chunk. Throws where there was nothing, or no log. */
  end(): void {
    if (this.bytes === 0) throw emptyLog();
    this.cut = this.#lines.isCut && !this.#isEnd();
    this.#expectLog();
  }

  #feed(chunk: Uint8Array): void {
    if (this.bytes < HEAD) this.#head.set(chunk.subarray(0, HEAD - this.bytes), this.bytes);
    this.bytes += chunk.length;
    this.#lines.push(chunk);
  }

  #malformedLine(): void {
    this.lines++;
    this.malformed++;
  }

  /** An editor may have taken the last newline away. */
  #isEnd(): boolean {
    if (Buffer.compare(this.#lines.rest, END) !== 0) return false;
    this.lines++;
    this.ended = true;
    return true;
  }

  #expectLog(): void {
    if (this.operations > 0 || this.started) return;
    throw notMtrace(this.#head.subarray(0, Math.min(HEAD, this.bytes)));
  }

  /** Whole lines only. */
  #parse(start: number, end: number): void {
    this.#nextBracket = 0;
    for (let line = start; line < end;) {
      this.lines++;
      const next = this.#bytes[line] === EQUALS ? this.#mark(line) : this.#call(line);
      if (next === 0) this.malformed++;
      line = next || this.#bytes.indexOf(NEWLINE, line) + 1;
    }
  }

  // What reads something below takes the place where it begins and returns the place behind it, 0 where it is not there.

  /** `= Start` and `= End`. */
  #mark(line: number): number {
    const start = this.#skip(line, START);
    const next = this.#lineEnd(start || this.#skip(line, END));
    if (next === 0) return 0;
    if (start !== 0) this.started = true;
    this.ended = start === 0;
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
    this.operations++;
    this.#apply(operation, this.#bytes[at + 2] === NIL[0]);
    return next;
  }

  #skip(at: number, word: Uint8Array): number {
    for (let i = 0; i < word.length; i++) if (this.#bytes[at + i] !== word[i]) return 0;
    return at + word.length;
  }

  /** `@ SITE `, or nothing at all; -1 for what is neither. */
  #site(line: number): number {
    this.#caller = NO_SITE;
    if (this.#bytes[line] !== AT || this.#bytes[line + 1] !== SPACE) return line;
    const start = line + 2;
    const guess = this.sites.guess(this.#view, start);
    const end = start + this.sites.lengthOf(guess);
    if (guess === NO_SITE || !this.#isSiteEnd(end)) return this.#newSite(start);
    this.#caller = guess;
    return end + 1;
  }

  #newSite(start: number): number {
    let end = this.#bracket(start);
    while (end > 0 && !this.#isSiteEnd(end)) end = this.#bracket(end);
    this.#caller = this.#lookUp(start, end);
    return this.#caller === NO_SITE ? -1 : end + 1;
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
    const known = this.sites.find(this.#view, start, end);
    if (known !== NO_SITE) return this.sites.learn(known);
    const text = this.#bytes.subarray(start, end);
    if (text.includes(NEWLINE) || text.includes(0)) return NO_SITE;
    return this.sites.learn(this.sites.add(this.#view, start, end));
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
    this.#high = high;
    this.#low = low;
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
    this.#high = 0;
    this.#low = 0;
    return this.#skip(at, NIL);
  }

  /** ` 0x10`, or ` 0`. */
  #size(start: number): number {
    if (this.#bytes[start] !== SPACE) return 0;
    const first = start + (this.#view.getUint16(start + 1) === ZERO_X ? 3 : 1);
    let at = first;
    let size = 0;
    for (let digit = this.#digit(at); digit >= 0; digit = this.#digit(++at)) size = size * 16 + digit;
    this.#length = size;
    return at > first && at - first <= 16 ? at : 0;
  }

  /** A carriage return is forgiven. */
  #lineEnd(end: number): number {
    if (end === 0) return 0;
    const at = this.#bytes[end] === RETURN ? end + 1 : end;
    return this.#bytes[at] === NEWLINE ? at + 1 : 0;
  }

  /** The same rules as those of glibc's mtrace script, so that both come to the same result. */
  #apply(operation: number, isNull: boolean): void {
    if (operation === BANG) this.failed++;
    else if (operation === MINUS) this.#free('free');
    else if (operation === LESS) this.#free('realloc');
    else if (isNull) this.failed++;
    else this.#allocate(operation === PLUS ? 'malloc' : 'realloc');
  }

  #allocate(call: Oddity['call']): void {
    if (this.live.add(this.#high, this.#low, this.#length, this.#caller, this.lines)) return;
    this.duplicates++;
    this.#tell('duplicate', call);
  }

  #free(call: Oddity['call']): void {
    if (this.live.remove(this.#high, this.#low)) return;
    this.unknownFrees++;
    this.#tell('unknown-free', call);
  }

  #tell(kind: Oddity['kind'], call: Oddity['call']): void {
    const address = joinAddress(this.#high, this.#low);
    this.#report({ kind, call, address, line: this.lines, site: this.sites.text(this.#caller) });
  }
}
