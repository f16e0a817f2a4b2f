/** A contender's process, seen from here. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { plainEnvironment } from '../plain_environment.js';
import type { Answer, Question } from './child.js';
import type { AllocatorName } from './report.js';
import type { Workload } from './stream.js';

const ENTRY = fileURLToPath(new URL('./child.js', import.meta.url));

/** A replay did not come to its end; the message says why. */
export class ReplayError extends Error {
  constructor(
    message: string,
    readonly code = 'ERR_MEMPROBE_REPLAY',
  ) {
    super(message);
  }
}

export class Contestant {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #what: string;
  #stderr = '';

  constructor(allocator: AllocatorName, { name, ops, slots }: Workload) {
    this.#what = `the replay of ${name} on ${allocator}`;
    const args = [ENTRY, allocator, String(slots), String(ops.byteLength)];
    this.#child = spawn(process.execPath, args, {
      stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
      env: plainEnvironment(),
    });
    this.#ended = once(this.#child, 'close').catch(() => {});
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#child.stdin?.on('error', () => {}); // its end tells more
    this.#child.stdin?.end(new Uint8Array(ops.buffer));
  }

  async ask(question: Question): Promise<Answer> {
    if (this.#child.connected) this.#child.send(question, () => {});
    const answered = once(this.#child, 'message').then(([answer]): Answer => answer);
    const answer = await Promise.race([answered, this.#ended.then(() => undefined)]);
    if (answer === undefined) throw this.#died();
    if ('error' in answer) throw new ReplayError(`${this.#what}: ${answer.error}`, answer.code);
    return answer;
  }

  /** Resolves when the process is gone. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #died(): ReplayError {
    const { exitCode, signalCode } = this.#child;
    const how = signalCode === null ? `with exit code ${exitCode}` : `by ${signalCode}`;
    const why = signalCode === 'SIGKILL' ? ': was there not enough memory?' : '';
    const said = this.#stderr.trim() === '' ? '' : `; it said:\n${this.#stderr.trim()}`;
    return new ReplayError(`${this.#what} was ended ${how}${why}${said}`);
  }
}
