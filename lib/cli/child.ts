/** `memprobe explain -- node app.js`: starts the program, explains it once, and lets it go on or end as it would have. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CHANNEL } from '../explain/channel.js';
import { collect } from '../explain/collect.js';
import { attributeSlowly } from '../explain/index.js';
import type { Insider } from '../explain/insider.js';
import type { Explanation } from '../explain/schema.js';
import { noteOfDescendants } from './descendants.js';
import { endLike } from './ending.js';
import { CliError } from './errors.js';
import type { ExplainFlags } from './flags.js';
import { Host } from './host.js';
import { hasEnded, type Program, startProgram } from './program.js';

type Print = (explanation: Explanation, flags: ExplainFlags) => void;

/** After Ctrl-C a program has this long to reach its end before it is looked at as it is, in milliseconds. */
const GRACE = 300;

export async function explainChild(words: string[], flags: ExplainFlags, print: Print): Promise<void> {
  const host = await Host.open();
  const child = await run(words, flags, host, print).finally(() => host.close());
  endLike({ code: child.exitCode, signal: child.signalCode });
}

async function run(words: string[], flags: ExplainFlags, host: Host, print: Print): Promise<ChildProcess> {
  const interrupt = new AbortController();
  const looked = new AbortController();
  const { child, release } = await start(words, host.directory, flags, { interrupt, looked: looked.signal });
  const ended = once(child, 'exit');
  const interrupted = once(interrupt.signal, 'abort');
  const due = sleep(flags.after * 1000, undefined, { ref: false });
  await Promise.race([due, host.ending, interrupted, ended]);
  await look(child, host, flags, print);
  host.release();
  looked.abort();
  await ended;
  release();
  return child;
}

/**
 * A Node program gets --import memprobe/register; any other is only looked at from outside. A signal that came to the
 * command alone is passed on once the program was looked at.
 */
async function start(
  [command = '', ...args]: string[],
  directory: string,
  { json = false }: ExplainFlags,
  { interrupt, looked }: { interrupt: AbortController; looked: AbortSignal },
): Promise<Program> {
  const register = new URL('../register.js', import.meta.url).href;
  const node = /^node(js)?$/.test(basename(command)) || command === process.execPath;
  return startProgram([command, ...(node ? ['--import', register, ...args] : args)], {
    // With --json our standard output is the JSON's alone.
    stdio: ['inherit', json ? 2 : 'inherit', 'inherit'],
    env: { ...process.env, [CHANNEL]: directory },
    signals: ['SIGINT', 'SIGTERM', 'SIGHUP'],
    onSignal: (child, signal, shared) => {
      const passOn = () => child.kill(signal);
      setTimeout(() => {
        interrupt.abort();
        if (shared) return;
        if (looked.aborted) passOn();
        else looked.addEventListener('abort', passOn);
      }, GRACE);
    },
  });
}

async function look(child: ChildProcess, host: Host, flags: ExplainFlags, print: Print): Promise<void> {
  try {
    if (hasEnded(child) || child.pid === undefined)
      throw new Error(
        'the program ended before it could be explained (killed, or too short-lived to load memprobe/register)',
      );
    const inside = await host.ask();
    const insider: Insider | undefined = inside && {
      way: 'inside',
      ask: async () => inside,
      ...NOTHING_ELSE,
    };
    const snapshot = await collect(child.pid, insider ? { insider } : {});
    if (!inside)
      snapshot.notes.push(
        'the program did not answer from inside: it is no Node program, or its event loop is blocked',
      );
    const others = await noteOfDescendants(child.pid);
    if (others !== undefined) snapshot.notes.unshift(others);
    print(await attributeSlowly(snapshot), flags);
  } catch (error) {
    // The program matters more than its explanation: it goes on, and its exit code is the command's.
    process.stderr.write(`memprobe: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

const NOTHING_ELSE = {
  owned: async () => [],
  trim: () => Promise.reject(new CliError('ERR_MEMPROBE_USAGE', 'a started program is not trimmed')),
};
