/** `memprobe run --malloc-debug [--mcheck] -- node app.js`: starts a program with glibc's malloc debugging on. */
import { once } from 'node:events';
import { Command } from 'commander';
import { mallocDebugEnvironment } from '../malloc_debug.js';
import { type Ending, endLike } from './ending.js';
import { hasEnded, startProgram } from './program.js';

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

const PASSED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'];

/**
 * Runs a program with this terminal until it ends; `output` may lead its standard output to another descriptor. Signals
 * sent to the command are passed on to it: the command outlives them all, and ends when, and as, the program does.
 */
export async function runProgram(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  output: 'inherit' | number = 'inherit',
  onStart: (pid: number) => void = () => {},
): Promise<Ending> {
  const { child, release } = await startProgram(words, {
    env,
    stdio: ['inherit', output, 'inherit'],
    signals: PASSED,
    onSignal: (program, signal, shared) => void (shared || program.kill(signal)),
  });
  if (!hasEnded(child)) {
    if (child.pid !== undefined) onStart(child.pid);
    await once(child, 'exit');
  }
  release();
  return { code: child.exitCode, signal: child.signalCode };
}
