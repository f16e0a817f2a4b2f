/**
 * The lab's end of the line to the process that watches it. Both ways are synchronous, and whatever asking costs is
 * allocated beforehand: between `before` and `after` nothing happens but the step itself.
 */
import { readSync, writeSync } from 'node:fs';
import type { Change } from './report.js';

/** The descriptor that the lab's process is started with. */
export const LINE = 3;

/** What the lab says. The watcher answers each of the first two with a line, after its look. */
export const BEFORE = 'before';
export const AFTER = 'after';
export const REPORT = 'report ';
export const FAILURE = 'failure ';

const requests = { [BEFORE]: Buffer.from(`${BEFORE}\n`), [AFTER]: Buffer.from(`${AFTER}\n`) };
const answer = Buffer.alloc(1 << 20);

export class Observer {
  before(): void {
    this.#ask(BEFORE);
  }

  after(): Change {
    const change: Change = JSON.parse(answer.toString('utf8', 0, this.#ask(AFTER)));
    return change;
  }

  /** Says the last word. */
  close(word: typeof REPORT | typeof FAILURE, value: unknown): void {
    const bytes = Buffer.from(`${word}${JSON.stringify(value)}\n`);
    for (let sent = 0; sent < bytes.length;) sent += writeSync(LINE, bytes, sent);
  }

  #ask(request: keyof typeof requests): number {
    writeSync(LINE, requests[request]);
    for (let length = 0; ;) {
      const got = readSync(LINE, answer, length, answer.length - length, null);
      // Without a watcher there is nobody to tell.
      if (got === 0) process.exit(1);
      length += got;
      if (answer[length - 1] === NEWLINE) return length;
    }
  }
}

const NEWLINE = 10;
