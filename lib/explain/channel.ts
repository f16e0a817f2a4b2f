/**
 * The child's end of the channel between `memprobe explain -- node app.js` and the program: a Unix socket in a
 * private directory for questions, and two files there for the end, when nothing asynchronous can happen any more.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { askMainThread, askSelf } from './ask.js';

/** The environment variable that names the directory. */
export const CHANNEL = 'MEMPROBE_CHANNEL';
export const SOCKET = 'socket';
/** Written by the program when it is about to end, with what it can say of itself: an `Inside` as JSON. */
export const LAST_WORDS = 'last-words';
/** Written by the command when it has seen enough: the program may end. */
export const MAY_END = 'may-end';

/** A program never waits longer than this for the command at its end, in milliseconds. */
const LONGEST_WAIT = 10_000;

/** Connects to the command in `directory`, and has it told when the program is about to end. */
export function listen(directory: string): void {
  const socket = connect(join(directory, SOCKET));
  socket.unref();
  // The command has gone: the program goes on alone.
  socket.on('error', () => socket.destroy());
  socket.on('data', () => void answer(socket));
  process.once('exit', () => waitAtTheEnd(directory));
  stopForInterrupt(directory);
}

/** Any message is the question; the answer is one line of JSON. */
async function answer(socket: Socket): Promise<void> {
  socket.write(`${JSON.stringify(await askSelf())}\n`);
}

/** A program that does not handle Ctrl-C itself dies of it at once, so that nothing could be seen any more. */
function stopForInterrupt(directory: string): void {
  process.once('SIGINT', () => {
    if (process.listenerCount('SIGINT') > 0) return;
    waitAtTheEnd(directory);
    process.kill(process.pid, 'SIGINT');
  });
}

/** Says its last words and stands still until the command has looked. */
function waitAtTheEnd(directory: string): void {
  if (existsSync(join(directory, MAY_END)) || !existsSync(directory)) return;
  try {
    writeFileSync(join(directory, LAST_WORDS), JSON.stringify(askMainThread()), { flag: 'wx', mode: 0o600 });
  } catch {
    return;
  }
  const bell = new Int32Array(new SharedArrayBuffer(4));
  const until = Date.now() + LONGEST_WAIT;
  while (Date.now() < until && existsSync(directory) && !existsSync(join(directory, MAY_END))) {
    Atomics.wait(bell, 0, 0, 20);
  }
}
