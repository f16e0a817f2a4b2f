/** Programs that a command starts with this terminal: the signals sent to the command are theirs. */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { CliError, describeError } from './errors.js';

export interface Program {
  readonly child: ChildProcess;
  /** From now on the signals are the command's own again. */
  release(): void;
}

interface ProgramOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: StdioOptions;
  readonly signals: readonly NodeJS.Signals[];
  /** `shared`: a terminal sent it to the whole group at once, so that the program has it already. */
  onSignal(child: ChildProcess, signal: NodeJS.Signals, shared: boolean): void;
}

const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP'];

export async function startProgram(
  [command = '', ...args]: readonly string[],
  { env, stdio, signals, onSignal }: ProgramOptions,
): Promise<Program> {
  const handlers = signals.map((signal): [NodeJS.Signals, () => void] => {
    const shared = process.stdin.isTTY === true && FROM_TERMINAL.includes(signal);
    return [signal, () => onSignal(child, signal, shared)];
  });
  const release = () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
  // Before the program runs: what arrived in between would end the command and leave the program without it.
  for (const [signal, handler] of handlers) process.on(signal, handler);
  const child = spawn(command, args, { env, stdio });
  try {
    await once(child, 'spawn');
  } catch (error) {
    release();
    throw new CliError(
      'ERR_MEMPROBE_NOT_STARTED',
      `${command} could not be started: ${describeError(error)}`,
    );
  }
  return { child, release };
}

export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
