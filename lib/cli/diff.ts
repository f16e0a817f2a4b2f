/** `memprobe diff before.json after.json`: what changed between two `memprobe explain --json`. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { diff, renderDiff, whyNotExplanation } from '../explain/diff.js';
import type { Explanation } from '../explain/schema.js';
import { CliError, describeError } from './errors.js';
import { screen } from './screen.js';

export function diffCommand(): Command {
  return new Command('diff')
    .description('what changed between two files of memprobe explain --json')
    .argument('<before>', 'the earlier file')
    .argument('<after>', 'the later file')
    .option('--json', 'bytes before and after by category, as JSON')
    .action(run);
}

async function run(before: string, after: string, { json }: { json?: boolean }): Promise<void> {
  const [old, new_] = [await readExplanation(before), await readExplanation(after)];
  const text = json ? `${JSON.stringify(diff(old, new_), undefined, 2)}\n` : renderDiff(old, new_, screen());
  process.stdout.write(text);
}

async function readExplanation(file: string): Promise<Explanation> {
  const fail = (why: string) => {
    const help = 'make such a file with `memprobe explain --json > file.json`';
    return new CliError('ERR_MEMPROBE_BAD_FILE', `${file} is no explanation: ${why}; ${help}`);
  };
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CliError('ERR_MEMPROBE_BAD_FILE', `${file} could not be read: ${describeError(error)}`);
  });
  const value = parse(text);
  if (value === undefined) throw fail('it is no JSON');
  const why = whyNotExplanation(value);
  if (why !== undefined) throw fail(why);
  return value as Explanation;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
