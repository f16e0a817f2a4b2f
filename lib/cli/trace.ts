/** `memprobe trace -- perl script.pl`: logs every allocation of a program, for `leaks` and `compare`. */
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command } from 'commander';
import { formatBytes } from '../format.js';
import { endLike } from './ending.js';
import { describeError } from './errors.js';
import { cutBy, expectLog, runTraced, type TracedEnding } from './traced.js';

const HELP = `
Examples:
  memprobe trace -- perl script.pl              the log is memprobe.perl.PID.mt, in this directory
  memprobe trace -o app.mt -- ./app --verbose
  memprobe leaks app.mt                         what it never freed, by call site
  memprobe compare app.mt                       the same calls on other allocators
The program's exit code or signal becomes the command's. Only the program itself is logged, not what it starts in turn.
Under trace it is several times slower, and a log has some 60 bytes for each call; both commands read it packed with gzip, too.`;

export function traceCommand(): Command {
  return new Command('trace')
    .description('log every allocation of any program, with mtrace(3)')
    .argument('<command...>', 'the program to start, after --')
    .passThroughOptions()
    .option('-o, --output <file>', 'where the log goes; one that is there is overwritten')
    .addHelpText('after', HELP)
    .action(run);
}

async function run(words: string[], { output }: { output?: string }): Promise<void> {
  const log = output ?? `memprobe.${basename(words[0] ?? '')}.${process.pid}.mt`;
  const ending = await runTraced(words, log, { fresh: output === undefined });
  endLike(await tell(log, words, ending));
}

/** The program's own standard error may be a terminal, a pipe or a file: what is said there comes last. */
async function tell(log: string, words: string[], ending: TracedEnding): Promise<TracedEnding> {
  try {
    const size = await expectLog(log, words);
    const cut = cutBy(ending);
    const note = ending.note === undefined ? '' : `memprobe: ${ending.note}\n`;
    const name = quoted(log);
    process.stderr.write(
      `${note}memprobe: ${formatBytes(size)} of log in ${log}${cut === undefined ? '' : ` (${cut})`}. To go on:\n` +
        `  memprobe leaks ${name}    what was never freed, and who allocated it\n` +
        `  memprobe compare ${name}  the same calls on other allocators\n`,
    );
    return ending;
  } catch (error) {
    await rm(log, { force: true });
    process.stderr.write(`memprobe: ${describeError(error)}\n`);
    return ending.code === 0 ? { ...ending, code: 1 } : ending;
  }
}

/** As a shell takes it for one word. */
function quoted(path: string): string {
  return /^[\w./@%+=:,][\w./@%+=:,-]*$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
