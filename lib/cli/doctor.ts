/** `memprobe doctor`: whether everything that memprobe needs is to be had here. */
import { Command } from 'commander';
import { doctor } from '../doctor/index.js';
import { renderDoctor } from '../doctor/render.js';
import { screen } from './screen.js';

interface DoctorFlags {
  json?: boolean;
  verbose?: boolean;
}

/** As diff(1) and grep(1) keep 1 and 2 for themselves. */
const SOMETHING_LACKS = 3;

const HELP = `
Exit codes: 0 when memprobe has what it needs (there may be notices), 3 when something is missing or refused.`;

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check what memprobe needs here: what is missing, what that costs, how to get it')
    .option('--json', 'every check with its figures, in bytes')
    .option('-v, --verbose', 'every check, also what is fine')
    .addHelpText('after', HELP)
    .action(run);
}

async function run({ json, verbose = false }: DoctorFlags): Promise<void> {
  const diagnosis = await doctor();
  const text = json
    ? `${JSON.stringify(diagnosis, undefined, 2)}\n`
    : renderDoctor(diagnosis, { ...screen(), verbose });
  process.stdout.write(text);
  if (!diagnosis.ok) process.exitCode = SOMETHING_LACKS;
}
