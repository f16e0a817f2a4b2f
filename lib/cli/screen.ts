/** What the terminal can show. */
import pico from 'picocolors';

export interface Screen {
  columns: number;
  color: boolean;
}

const WIDEST = 120;

/** Width and colours of standard output. NO_COLOR and FORCE_COLOR decide first, then whether it is a terminal. */
export function screen(stream: NodeJS.WriteStream = process.stdout): Screen {
  const columns = Math.min(stream.columns || Number(process.env.COLUMNS) || 80, WIDEST);
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return { columns, color: false };
  if (FORCE_COLOR) return { columns, color: FORCE_COLOR !== '0' };
  return { columns, color: Boolean(stream.isTTY) && TERM !== 'dumb' };
}

/** Shows on a terminal's standard error what takes long; the line goes away when it is done. */
export class Progress {
  readonly #shown = process.stderr.isTTY === true;
  #timer: NodeJS.Timeout | undefined;
  #step = '';

  /** Names the current step; it appears when it takes longer than a moment. */
  readonly step = (step: string): void => {
    this.#step = step;
    if (!this.#shown || this.#timer) return;
    this.#timer = setInterval(() => process.stderr.write(`\r\x1b[K${pico.dim(`${this.#step} …`)}`), 400);
    this.#timer.unref();
  };

  done(): void {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    process.stderr.write('\r\x1b[K');
  }
}
