/** The command's end of the channel to a program that it started; see ../explain/channel.ts for the other end. */
import { once } from 'node:events';
import { readFileSync, watch, writeFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inside } from '../explain/ask.js';
import { LAST_WORDS, MAY_END, SOCKET } from '../explain/channel.js';

/** A program whose event loop does not turn for this long is looked at from outside, in milliseconds. */
const ANSWER_TIMEOUT = 3000;

export class Host {
  readonly directory: string;
  /** Settles when the program is about to end and waits to be looked at. */
  readonly ending: Promise<void>;
  readonly #server: Server;
  readonly #stopWatching: () => void;
  #program: Socket | undefined;

  private constructor(directory: string, server: Server) {
    this.directory = directory;
    this.#server = server;
    server.on('connection', (socket) => {
      this.#program = socket;
      socket.on('error', () => socket.destroy());
      socket.on('close', () => (this.#program = undefined));
    });
    const { promise, close } = appearance(directory, LAST_WORDS);
    this.ending = promise;
    this.#stopWatching = close;
  }

  /** Makes a private directory with a socket that only this user can open. */
  static async open(): Promise<Host> {
    const directory = await mkdtemp(join(tmpdir(), 'memprobe-'));
    const server = createServer();
    const path = join(directory, SOCKET);
    server.listen(path);
    await once(server, 'listening');
    await chmod(path, 0o600);
    return new Host(directory, server);
  }

  /** What the program says of itself: its last words, or an answer over the socket; undefined where it says nothing. */
  async ask(): Promise<Inside | undefined> {
    const last = this.#lastWords();
    const program = this.#program;
    if (last || !program) return last;
    const answer = once(createInterface({ input: program }), 'line').then(([line]): Inside =>
      JSON.parse(line),
    );
    program.write('?\n');
    const late = sleep(ANSWER_TIMEOUT, undefined, { ref: false });
    return Promise.race([answer, late, this.ending.then(() => this.#lastWords())]);
  }

  /** Lets the program end when it likes. */
  release(): void {
    writeFileSync(join(this.directory, MAY_END), '', { mode: 0o600 });
  }

  async close(): Promise<void> {
    this.#stopWatching();
    this.#program?.destroy();
    this.#server.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  #lastWords(): Inside | undefined {
    try {
      return JSON.parse(readFileSync(join(this.directory, LAST_WORDS), 'utf8'));
    } catch {
      return undefined;
    }
  }
}

function appearance(directory: string, name: string): { promise: Promise<void>; close: () => void } {
  const watcher = watch(directory);
  const promise = new Promise<void>((resolve) => {
    // The file is written after it is made: 'change' comes when it holds something.
    watcher.on('change', (event, file) => event === 'change' && file === name && resolve());
  });
  return { promise, close: () => watcher.close() };
}
