/** `memprobe maps`: the memory map with its sizes, sorted and grouped. */
import { Command, Option } from 'commander';
import { readSmaps } from '../procfs/smaps.js';
import { parseCount } from './errors.js';
import { type Grouping, group, renderMaps, SORTS, type Sorting } from './maps_table.js';
import { screen } from './screen.js';

interface MapsFlags {
  pid?: number;
  sort: Sorting;
  group: Grouping;
  top?: number;
  json?: boolean;
}

export function mapsCommand(): Command {
  return new Command('maps')
    .description("a process's memory map with its sizes (smaps), sorted and grouped")
    .option('-p, --pid <pid>', 'the process; default: memprobe itself', parseCount)
    .addOption(new Option('--sort <field>', 'what comes first').choices(SORTS).default('rss'))
    .addOption(
      new Option('--group <by>', 'what makes a line').choices(['file', 'kind', 'none']).default('file'),
    )
    .option('--top <count>', 'only so many lines', parseCount)
    .option('--json', 'all fields as JSON, sizes in bytes')
    .allowExcessArguments()
    .action(run);
}

async function run(
  { pid = process.pid, sort, group: by, top, json }: MapsFlags,
  command: Command,
): Promise<void> {
  const [word] = command.args;
  if (word !== undefined) command.error(misplaced(word), { exitCode: 2 });
  const smaps = await readSmaps({ pid });
  const lines = group(smaps, by, sort);
  const shown = top === undefined ? lines : lines.slice(0, top);
  if (json)
    process.stdout.write(`${JSON.stringify({ pid, mappings: smaps.length, lines: shown }, undefined, 2)}\n`);
  else process.stdout.write(renderMaps(lines, shown.length, { ...screen(), ...whole() }));
}

function misplaced(word: string): string {
  return /^\d+$/.test(word)
    ? `error: for the map of process ${word}: memprobe maps --pid ${word}`
    : `error: '${word}' is too much: memprobe maps takes options alone`;
}

/** Paths are cut for a terminal, or where COLUMNS asks for it: grep and such want them whole. */
function whole(): { columns?: number } {
  return process.stdout.isTTY || process.env.COLUMNS ? {} : { columns: Infinity };
}
