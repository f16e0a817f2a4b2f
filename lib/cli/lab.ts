/** `memprobe lab`: experiments with real calls, to learn from. */
import { Command } from 'commander';
import type { Lab } from '../lab/bench.js';
import { labs } from '../lab/labs.js';
import { renderReport } from '../lab/render.js';
import { runLab } from '../lab/run.js';
import { interruptible } from './interrupt.js';
import { Progress, screen } from './screen.js';

interface LabFlags {
  json?: boolean;
}

const HELP = `
Examples:
  memprobe lab             what there is
  memprobe lab madvise     one of them, in a process of its own
  memprobe lab brk --json  its numbers`;

export function labCommand(): Command {
  return new Command('lab')
    .description('learn how memory works: experiments with the real calls, watched from outside')
    .argument('[name]', 'which experiment; without it they are listed')
    .option('--json', 'the numbers as JSON, memory in pages')
    .addHelpText('after', HELP)
    .action(run);
}

async function run(name: string | undefined, flags: LabFlags, command: Command): Promise<void> {
  if (name === undefined) return list(flags);
  const lab = labs.find((other) => other.name === name);
  if (lab) return report(lab, flags);
  const names = labs.map((other) => other.name).join(', ');
  command.error(`error: there is no lab '${name}'; there are ${names}`, { exitCode: 2 });
}

function list({ json }: LabFlags): void {
  const all = labs.map(({ name, summary }) => ({ name, summary }));
  const lines = all.map(({ name, summary }) => `${name.padEnd(9)} ${summary}`);
  const text = [...lines, '', 'memprobe lab NAME runs one of them, in a process of its own.'].join('\n');
  process.stdout.write(json ? `${JSON.stringify(all, undefined, 2)}\n` : `${text}\n`);
}

/** Ctrl-C ends the lab's process too, and removes its files. */
async function report(lab: Lab, { json }: LabFlags): Promise<void> {
  const found = await interruptible(`interrupted: ${lab.name}`, async (signal) => {
    const progress = new Progress();
    progress.step(`the lab ${lab.name} is running`);
    return runLab(lab, { signal }).finally(() => progress.done());
  });
  process.stdout.write(json ? `${JSON.stringify(found, undefined, 2)}\n` : renderReport(found, screen()));
}
