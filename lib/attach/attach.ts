import { setTimeout as sleep } from 'node:timers/promises';
import { Deadline } from './deadline.js';
import { AttachError } from './errors.js';
import { evaluate } from './evaluate.js';
import { type Located, locate } from './locate.js';
import { Session } from './session.js';
import { readListening } from './sockets.js';
import { describeSilence, examine, hasExited, type Target } from './target.js';

export interface AttachOptions {
  /** Gives up at any point, and closes the inspector again. */
  readonly signal?: AbortSignal | undefined;
  /** How long the target may take to open its inspector and to answer, in milliseconds; 5000 by default. */
  readonly timeout?: number | undefined;
}

export interface EvaluateOptions {
  /** In milliseconds; 10000 by default. What has been begun over there goes on nevertheless. */
  readonly timeout?: number | undefined;
}

/** A connection to a live Node process. */
export interface Attachment extends AsyncDisposable {
  readonly pid: number;
  /** The inspector was open before, and stays so. */
  readonly wasOpen: boolean;
  /**
   * Evaluates JavaScript in the main thread's global scope, where `require` exists too, waits for a promise, and
   * returns a copy of the value. Interrupts a busy loop, but then only synchronous expressions end. Nested BigInts,
   * cycles and functions have no copy: return JSON.
   */
  evaluate(expression: string, options?: EvaluateOptions): Promise<unknown>;
  /** Closes the inspector unless it was open before, and makes sure that its port is gone. May be called again. */
  close(): Promise<void>;
}

/** In milliseconds. */
const TIMEOUT = { attach: 5000, evaluate: 10_000, close: 2000, afterAbort: 3000, lastWords: 1000 };

/**
 * Within the answer, not after it: a timer or a microtask would never run in a process that is in a busy loop. The
 * answer is lost with the connection, on purpose.
 */
const CLOSE = `(process.getBuiltinModule?.('inspector') ?? require('inspector')).close()`;

/**
 * Attaches to a live Node process that was not prepared for it: opens its inspector with SIGUSR1, unless it is open
 * already, and connects to it. The process goes on running meanwhile.
 *
 * What remains to be seen: Node prints "Debugger listening on …", "Debugger attached." and the like on the target's
 * standard error. That can't be avoided. While attached to, any local process may connect to the inspector's port
 * that learns its random path from it.
 *
 * @param pid a process of the same user (or any, for root) in the same network namespace
 * @throws AttachError, whose code says why; `signal.reason`; ERR_INVALID_ARG_TYPE, ERR_OUT_OF_RANGE for a bad pid
 * @see https://nodejs.org/en/learn/getting-started/debugging
 */
export async function attach(pid: number, options: AttachOptions = {}): Promise<Attachment> {
  checkPid(pid);
  const { signal, timeout = TIMEOUT.attach } = options;
  signal?.throwIfAborted();
  const target = await examine(pid);
  signal?.throwIfAborted();
  const attachment = await establish(target, new Deadline(timeout), signal);
  if (signal?.aborted) {
    await attachment.close();
    throw signal.reason;
  }
  attachment.closeOn(signal);
  return attachment;
}

/**
 * Not to be interrupted, only hurried: between the signal and the connection nobody could close the inspector.
 */
async function establish(target: Target, deadline: Deadline, signal?: AbortSignal): Promise<LiveAttachment> {
  const hurry = () => deadline.shorten(TIMEOUT.afterAbort);
  signal?.addEventListener('abort', hurry);
  try {
    const attachment = new LiveAttachment(target, await locate(target, deadline));
    await attachment.connect(deadline);
    return attachment;
  } finally {
    signal?.removeEventListener('abort', hurry);
  }
}

class LiveAttachment implements Attachment {
  readonly #target: Target;
  readonly #located: Located;
  #session: Session | undefined;
  #closing: Promise<void> | undefined;
  #removeListener = () => {};

  constructor(target: Target, located: Located) {
    this.#target = target;
    this.#located = located;
  }

  get pid(): number {
    return this.#target.pid;
  }

  get wasOpen(): boolean {
    return this.#located.wasOpen;
  }

  /** Connects, and sees whether the main thread answers at all and is the right one; else leaves nothing open. */
  async connect(deadline: Deadline): Promise<void> {
    try {
      this.#session = await Session.connect(this.#located, deadline);
      checkIdentity(this.#target, await this.#evaluate('process.pid', deadline));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Gives up when the signal is aborted. */
  closeOn(signal: AbortSignal | undefined): void {
    const abort = () => {
      this.#session?.rejectAll(signal?.reason);
      // Whoever awaits close() gets the error too.
      this.close().catch(() => {});
    };
    signal?.addEventListener('abort', abort);
    this.#removeListener = () => signal?.removeEventListener('abort', abort);
  }

  async evaluate(expression: string, { timeout = TIMEOUT.evaluate }: EvaluateOptions = {}): Promise<unknown> {
    if (this.#closing) throw new AttachError('CLOSED', `The attachment to process ${this.pid} is closed.`);
    return await this.#evaluate(expression, new Deadline(timeout));
  }

  async #evaluate(expression: string, deadline: Deadline): Promise<unknown> {
    try {
      if (!this.#session) throw new AttachError('LOST', 'There is no connection.');
      return await evaluate(this.#session, expression, deadline);
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /** Says more about a missing answer than the session can know. */
  async #explain(error: unknown): Promise<unknown> {
    if (!(error instanceof AttachError)) return error;
    if (error.code === 'ERR_MEMPROBE_ATTACH_TIMEOUT') {
      const why = await describeSilence(this.pid);
      return new AttachError('TIMEOUT', `Process ${this.pid} gave no answer in time: ${why}.`, {
        cause: error,
      });
    }
    if (!(await this.#isLost(error))) return error;
    const why = (await hasExited(this.pid))
      ? 'it has exited'
      : 'it exits, or something else closed its inspector';
    return new AttachError('LOST', `The connection to process ${this.pid} was lost: ${why}.`, {
      cause: error,
    });
  }

  /** A process that exits first answers "Internal error", and says a moment later why. */
  async #isLost({ code }: AttachError): Promise<boolean> {
    const words = new Deadline(code === 'ERR_MEMPROBE_ATTACH_PROTOCOL' ? TIMEOUT.lastWords : 0);
    while (this.#session?.isOpen && !words.passed) await sleep(10);
    return code === 'ERR_MEMPROBE_ATTACH_LOST' || !this.#session?.isOpen;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#removeListener();
    this.#session?.rejectAll(new AttachError('CLOSED', `The attachment to process ${this.pid} was closed.`));
    try {
      if (!this.wasOpen) await this.#closeInspector(new Deadline(TIMEOUT.close));
    } finally {
      this.#session?.end();
    }
  }

  async #closeInspector(deadline: Deadline): Promise<void> {
    let asked = false;
    for (let pause = 2; await this.#listens(); pause = Math.min(2 * pause, 50)) {
      if (deadline.passed) throw await this.#stillOpen();
      if (!asked) asked = await this.#askToClose(deadline);
      await sleep(pause);
    }
  }

  /** Connects anew where the connection was lost but the inspector is still there. */
  async #askToClose(deadline: Deadline): Promise<boolean> {
    if (!this.#session?.isOpen) {
      this.#session = await Session.connect(this.#located, deadline).catch(() => undefined);
    }
    this.#session?.post('Runtime.evaluate', { expression: CLOSE, includeCommandLineAPI: true, silent: true });
    return this.#session !== undefined;
  }

  async #listens(): Promise<boolean> {
    const sockets = await readListening(this.pid);
    return sockets.some(({ inode }) => inode === this.#located.inode);
  }

  async #stillOpen(): Promise<AttachError> {
    const { address, port } = this.#located;
    return new AttachError(
      'STILL_OPEN',
      `The inspector of process ${this.pid} at ${address}:${port} is still open: ${await describeSilence(this.pid)}. ` +
        'It has been asked to close it, and will as soon as it goes on.',
    );
  }
}

function checkIdentity({ pid, pidInside }: Target, answer: unknown): void {
  if (answer === pidInside) return;
  if (answer !== undefined) {
    throw new AttachError('PROTOCOL', `The inspector of process ${pid} says that it is process ${answer}.`);
  }
  throw new AttachError(
    'STOPPED',
    `Process ${pid} has not begun yet: it waits for a debugger (--inspect-brk, --inspect-wait). Let it go on first.`,
  );
}

function checkPid(pid: number): void {
  if (typeof pid !== 'number') {
    throw Object.assign(new TypeError(`pid must be a number, not ${typeof pid}`), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
  }
  if (!Number.isInteger(pid) || pid < 1 || pid > 2 ** 22) {
    const message = `pid must be an integer from 1 to ${2 ** 22} (the kernel's largest), not ${pid}`;
    throw Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
  }
}
