/** `memprobe run --malloc-debug [--mcheck] -- node app.js`: starts a program with glibc's malloc debugging on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Command } from 'commander';
import { mallocDebugEnvironment } from '../malloc_debug.js';
import { type Ending, endLike } from './ending.js';
import { CliError, describeError } from './errors.js';

interface RunFlags {
  mallocDebug?: boolean;
  mcheck?: boolean;
  pedantic?: boolean;
  mtrace?: string;
}

const HELP = `
Examples:
  memprobe run --malloc-debug -- node app.js       mtrace() and the hooks of memprobe/libc act there
  memprobe run --mcheck -- node app.js             ends the program where a block was written past or freed twice
  memprobe run --mtrace trace.log -- ./program     logs every allocation; memprobe leaks trace.log reads it
The program's exit code or signal becomes the command's. What the program starts is checked, too; the log of --mtrace
has the program's own calls alone.`;

export function runCommand(): Command {
  return new Command('run')
    .description("start any program with glibc's malloc debugging on")
    .argument('<command...>', 'the program to start, after --')
    .passThroughOptions()
    .option('--malloc-debug', 'preload libc_malloc_debug.so.0; the other options do too')
    .option('--mcheck', 'check each block when it is freed or resized, and abort with a report')
    .option('--pedantic', 'check all blocks at every call, which is very slow')
    .option('--mtrace <file>', 'log every allocation into this file, from the start on')
    .addHelpText('after', HELP)
    .action(run);
}

async function run(words: string[], flags: RunFlags, command: Command): Promise<void> {
  const { mallocDebug, mcheck, pedantic, mtrace } = flags;
  const checks = mcheck || pedantic;
  if (!mallocDebug && !checks && mtrace === undefined)
    command.error('error: say what to run it under: --malloc-debug, --mcheck or --mtrace', { exitCode: 2 });
  if (checks && mtrace !== undefined)
    command.error('error: --mcheck and --mtrace cannot be combined: the log would be wrong', { exitCode: 2 });
  const environment = mallocDebugEnvironment({
    mcheck: pedantic ? 'pedantic' : mcheck === true,
    ...(mtrace !== undefined && { trace: mtrace }),
  });
  endLike(await runProgram(words, environment));
}

/**
 * Runs a program with this terminal until it ends; `output` may lead its standard output to another descriptor. Signals
 * sent to the command are passed on to it.
 */
export async function runProgram(
  [command = '', ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  output: 'inherit' | number = 'inherit',
): Promise<Ending> {
  const child = spawn(command, args, { stdio: ['inherit', output, 'inherit'], env });
  const stop = passSignals(child);
  try {
    await once(child, 'spawn');
    if (!hasEnded(child)) await once(child, 'exit');
  } catch (error) {
    throw new CliError(
      'ERR_MEMPROBE_NOT_STARTED',
      `${command} could not be started: ${describeError(error)}`,
    );
  } finally {
    stop();
  }
  return { code: child.exitCode, signal: child.signalCode };
}

export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** What a terminal sends to the whole group at once, so that the program has it already. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP'];
const PASSED: readonly NodeJS.Signals[] = [...FROM_TERMINAL, 'SIGTERM', 'SIGUSR1', 'SIGUSR2'];

/** The command itself outlives them all: it ends when, and as, the program does. */
function passSignals(child: ChildProcess): () => void {
  const handlers = PASSED.map((signal): [NodeJS.Signals, () => void] => {
    const shared = process.stdin.isTTY === true && FROM_TERMINAL.includes(signal);
    return [signal, () => void (shared || child.kill(signal))];
  });
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}
