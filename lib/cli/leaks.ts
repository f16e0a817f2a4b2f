/** `memprobe leaks`: what was not freed, from a log of mtrace or of a program that it runs under trace. */
import { Command } from 'commander';
import { formatBytes } from '../format.js';
import type { ParseOptions, Trace } from '../mtrace/index.js';
import { parseCount } from './errors.js';
import type { LeaksFlags } from './flags.js';
import { Progress } from './screen.js';
import type { TracedEnding } from './traced.js';

const HELP = `
Examples:
  memprobe leaks trace.log               a log of mtrace(3) from any program; .gz too
  memprobe leaks trace.log --program /usr/bin/perl
  memprobe leaks -- node app.js          runs a program under trace, and looks at its log when it ends
  memprobe leaks -o trace.log -- ./app   the same, and keeps the log
A program's exit code or signal becomes the command's. Only the program itself is traced, not what it starts in turn
(npm start, sh -c, timeout). Under trace it is several times slower. Node frees what JavaScript still holds when it ends:
end it with Ctrl-C or SIGKILL to see live Buffers.`;

export function leaksCommand(): Command {
  return new Command('leaks')
    .description('what was allocated and never freed, by call site: from an mtrace log, or of a program')
    .argument('<log-or-command...>', 'a log of mtrace(3), or after -- a program to run under trace')
    .option('--program <file>', 'the program that wrote the log, where the log has only its name')
    .option('-o, --output <file>', 'keep the log of the program that is run')
    .option('--json', 'the documented JSON instead of text')
    .option('-v, --verbose', 'every call site in full, and each free of an unknown address')
    .option('--top <count>', 'how many call sites to show', parseCount)
    .addHelpText('after', HELP)
    .action(run);
}

async function run(words: string[], flags: LeaksFlags, command: Command): Promise<void> {
  if (process.argv.includes('--')) {
    const { leaksOfProgram } = await import('./leaks_program.js');
    return leaksOfProgram(words, flags, (log, ending) => tellLeaks(log, flags, ending));
  }
  const [log = ''] = words;
  if (words.length > 1) command.error('error: give one log, or a program after --', { exitCode: 2 });
  if (flags.output !== undefined) command.error('error: --output is for a program after --', { exitCode: 2 });
  await tellLeaks(log, flags);
}

/** Reads a log and prints what leaked. After Ctrl-C it prints what is known by then. */
async function tellLeaks(log: string, flags: LeaksFlags, ending?: TracedEnding): Promise<void> {
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const stop = () => interrupt.abort();
  const progress = new Progress();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const reading = read(log, progress, {
      signal,
      onSites: (sites) => void telling.then((report) => report.expect(sites)),
    });
    reading.catch(() => {}); // it is awaited below
    // What comes after the reading is loaded meanwhile.
    const telling = import('./leaks_report.js').then(
      ({ LeaksReport }) => new LeaksReport(flags, { signal, progress, ending }),
    );
    await (await telling).tell(log, reading);
  } finally {
    progress.done();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

async function read(log: string, progress: Progress, options: ParseOptions): Promise<Trace> {
  const { readMtrace } = await import('../mtrace/read.js');
  return readMtrace(log, {
    ...options,
    progress: (bytes) => progress.step(`read ${formatBytes(bytes)}`),
  });
}
