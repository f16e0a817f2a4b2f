#!/usr/bin/env node
/** The `memprobe` command. Exit codes: 0, 1 for errors, 2 for a wrong command line, 3 of `doctor`. */
import { Command, CommanderError } from 'commander';
import { describeError } from './errors.js';
import { version } from './version.js';

const FAILED = 1;
const USAGE = 2;

/** In the order of the help. A verb's file is loaded only when that verb is asked for: most bring much along. */
const VERBS: Readonly<Record<string, () => Promise<Command>>> = {
  explain: async () => (await import('./explain.js')).explainCommand(),
  maps: async () => (await import('./maps.js')).mapsCommand(),
  diff: async () => (await import('./diff.js')).diffCommand(),
  lab: async () => (await import('./lab.js')).labCommand(),
  run: async () => (await import('./run.js')).runCommand(),
  leaks: async () => (await import('./leaks.js')).leaksCommand(),
  trace: async () => (await import('./trace.js')).traceCommand(),
  compare: async () => (await import('./compare.js')).compareCommand(),
  numa: async () => (await import('./numa.js')).numaCommand(),
  heap: async () => (await import('./heap.js')).heapCommand(),
  doctor: async () => (await import('./doctor.js')).doctorCommand(),
};

/** Whatever does not begin with a verb, such as --help or a misspelt one, is answered with all of them at hand. */
async function verbsFor([word = '']: readonly string[]): Promise<Command[]> {
  const names = Object.hasOwn(VERBS, word) ? [word] : Object.keys(VERBS);
  return Promise.all(names.flatMap((name) => VERBS[name]?.() ?? []));
}

async function program(): Promise<Command> {
  const root = new Command('memprobe')
    .description("Where did a process's memory go, and how does it come back?")
    .version(version())
    .enablePositionalOptions()
    .showHelpAfterError('(memprobe --help tells more)');
  for (const command of await verbsFor(process.argv.slice(2))) root.addCommand(command);
  for (const command of [root, ...root.commands]) command.exitOverride();
  return root;
}

async function main(): Promise<void> {
  try {
    await (await program()).parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : USAGE;
      return;
    }
    process.stderr.write(`memprobe: ${describeError(error)}\n`);
    process.exitCode = FAILED;
  }
}

/** `memprobe maps | head` is no error. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`memprobe: ${describeError(error)}\n`);
  process.exit(FAILED);
});

await main();
