#!/usr/bin/env node
/** The `memprobe` command. Exit codes: 0, 1 for errors, 2 for a wrong command line. */
import { Command, CommanderError } from 'commander';
import { diffCommand } from './diff.js';
import { describeError } from './errors.js';
import { explainCommand } from './explain.js';
import { labCommand } from './lab.js';
import { leaksCommand } from './leaks.js';
import { mapsCommand } from './maps.js';
import { runCommand } from './run.js';
import { version } from './version.js';

const FAILED = 1;
const USAGE = 2;

function program(): Command {
  const root = new Command('memprobe')
    .description("Where did a process's memory go, and how does it come back?")
    .version(version())
    .enablePositionalOptions()
    .showHelpAfterError('(memprobe --help tells more)');
  for (const command of [
    explainCommand(),
    mapsCommand(),
    diffCommand(),
    labCommand(),
    runCommand(),
    leaksCommand(),
  ])
    root.addCommand(command);
  for (const command of [root, ...root.commands]) command.exitOverride();
  return root;
}

async function main(): Promise<void> {
  try {
    await program().parseAsync();
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
