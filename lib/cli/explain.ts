/** `memprobe explain`: itself, a program that it starts, or a live process. */
import { Command } from 'commander';
import { collect } from '../explain/collect.js';
import { attributeSlowly } from '../explain/index.js';
import { self } from '../explain/insider.js';
import { render } from '../explain/render.js';
import type { Explanation } from '../explain/schema.js';
import { explainChild } from './child.js';
import { canAsk } from './confirm.js';
import { parseCount, parseSeconds } from './errors.js';
import type { ExplainFlags } from './flags.js';
import { explainLive } from './live.js';
import { Progress, screen } from './screen.js';

const HELP = `
Examples:
  memprobe explain --pid 1234 --attach     a live Node process, nothing prepared
  memprobe explain --pid 1234 --no-attach  any process, only looked at from outside
  memprobe explain --pid 1234 --attach --trim
  memprobe explain -- node app.js          a program that it starts
  memprobe explain --json > before.json    for memprobe diff before.json after.json`;

export function explainCommand(): Command {
  return new Command('explain')
    .description('say where the resident memory of a process went, and how to get it back')
    .argument('[command...]', 'a program to start and to explain, after --')
    .passThroughOptions()
    .option('-p, --pid <pid>', 'explain this live process', parseCount)
    .option(
      '--attach',
      'open its inspector for a moment (SIGUSR1), to tell Buffers and heap spaces apart; without asking',
    )
    .option('--no-attach', 'only look at it from outside (of the two, the last counts)')
    .option('--trim', 'run malloc_trim there, and measure what it gives back')
    .option('--after <seconds>', 'when to explain a started program, unless it ends before', parseSeconds, 5)
    .option('--json', 'the documented JSON instead of text')
    .option('-v, --verbose', 'every category with its parts and where the figures come from')
    .option('--top <count>', 'how many parts of a category to show with --verbose', parseCount, 8)
    .addHelpText('after', HELP)
    .action(run);
}

async function run(words: string[], flags: ExplainFlags, command: Command): Promise<void> {
  if (flags.pid !== undefined && words.length > 0)
    command.error('error: give either --pid or a program to start', {
      exitCode: 2,
    });
  const [first = ''] = words;
  if (/^\d+$/.test(first))
    command.error(`error: to explain process ${first}: memprobe explain --pid ${first}`, { exitCode: 2 });
  const wrong = whyMisused(words, flags);
  if (wrong !== undefined) command.error(`error: ${wrong}`, { exitCode: 2 });
  if (words.length > 0) return explainChild(words, flags, print);
  const progress = new Progress();
  try {
    const explanation =
      flags.pid === undefined
        ? await explainSelf(flags, progress)
        : await explainLive(flags.pid, flags, progress);
    progress.done();
    print(explanation, flags);
  } finally {
    progress.done();
  }
}

/** Flags that would have no effect where they stand, or ask for what cannot be. */
function whyMisused(words: string[], { pid, attach, trim }: ExplainFlags): string | undefined {
  if (words.length > 0 && (trim || attach !== undefined))
    return '--trim and --attach are for --pid: start the program, then explain its pid';
  if (pid === undefined && attach !== undefined)
    return `${attach ? '--attach' : '--no-attach'} is for --pid: say which process`;
  const attaches = attach ?? canAsk();
  if (trim && pid !== undefined && pid !== process.pid && !attaches)
    return '--trim has to run inside the process: add --attach';
  return undefined;
}

async function explainSelf({ trim = false }: ExplainFlags, { step }: Progress): Promise<Explanation> {
  return attributeSlowly(await collect(process.pid, { insider: self, trim, progress: step }));
}

/** Text for people, JSON for programs. */
export function print(explanation: Explanation, flags: ExplainFlags): void {
  const { json, verbose = false, top } = flags;
  const text = json
    ? `${JSON.stringify(explanation, undefined, 2)}\n`
    : render(explanation, { ...screen(), verbose, top });
  process.stdout.write(text);
}
