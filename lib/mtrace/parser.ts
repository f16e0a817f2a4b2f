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
import { emptyLog } from './errors.js';
import { BANG, END, END_MARK, LESS, Line, MINUS, PLUS, START_MARK } from './line.js';
import { Lines } from './lines.js';
import { joinAddress, LiveBlocks } from './live.js';
import { Sites } from './sites.js';
import { type Counts, expectLog, HEAD, type Oddity, PATIENCE } from './trace.js';

const NEWLINE = 0x0a;

/** Fed with chunks that may end anywhere; memory grows with the live blocks and the distinct call sites only. */
export class MtraceParser implements Counts {
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
  readonly #onCall: ((call: Line) => void) | undefined;
  readonly #lines: Lines;
  readonly #line: Line;
  readonly #head = new Uint8Array(HEAD);

  /** `onCall` is called for each call of the allocator; what it is given is the next one's too. */
  constructor(report: (oddity: Oddity) => void = () => {}, onCall?: (call: Line) => void) {
    this.#report = report;
    this.#onCall = onCall;
    this.#lines = new Lines(
      (start, end) => this.#parse(start, end),
      () => this.#malformedLine(),
    );
    this.#line = new Line(this.#lines.bytes, this.sites);
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
    expectLog(this, this.#head.subarray(0, Math.min(HEAD, this.bytes)));
  }

  /** Whole lines only. */
  #parse(start: number, end: number): void {
    this.#line.reset();
    for (let line = start; line < end;) {
      this.lines++;
      const next = this.#line.read(line);
      if (next === 0) this.malformed++;
      else this.#apply(this.#line.operation);
      line = next || this.#lines.bytes.indexOf(NEWLINE, line) + 1;
    }
  }

  /** The same rules as those of glibc's mtrace script, so that both come to the same result. */
  #apply(operation: number): void {
    if (operation === START_MARK || operation === END_MARK) return this.#mark(operation === START_MARK);
    this.operations++;
    this.#onCall?.(this.#line);
    if (operation === BANG) this.failed++;
    else if (operation === MINUS) this.#free('free');
    else if (operation === LESS) this.#free('realloc');
    else if (this.#line.isNull) this.failed++;
    else this.#allocate(operation === PLUS ? 'malloc' : 'realloc');
  }

  #mark(isStart: boolean): void {
    this.started ||= isStart;
    this.ended = !isStart;
  }

  #allocate(call: Oddity['call']): void {
    const { high, low, size, caller } = this.#line;
    if (this.live.add(high, low, size, caller, this.lines)) return;
    this.duplicates++;
    this.#tell('duplicate', call);
  }

  #free(call: Oddity['call']): void {
    if (this.live.remove(this.#line.high, this.#line.low)) return;
    this.unknownFrees++;
    this.#tell('unknown-free', call);
  }

  #tell(kind: Oddity['kind'], call: Oddity['call']): void {
    const { high, low, caller } = this.#line;
    const address = joinAddress(high, low);
    this.#report({ kind, call, address, line: this.lines, site: this.sites.text(caller) });
  }
}
