/** `memprobe compare`: what allocators make of the same workload. */
import { basename } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { compare } from '../compare/compare.js';
import { htmlOf } from '../compare/html.js';
import { renderComparison } from '../compare/render.js';
import { type Compared, type Comparison, comparison } from '../compare/report.js';
import type { Workload } from '../compare/stream.js';
import { readRecording, type Recording } from '../compare/trace.js';
import { makeWorkload, WORKLOADS } from '../compare/workloads.js';
import { formatBytes } from '../format.js';
import { badLog } from './bad_log.js';
import { CliError } from './errors.js';
import { interruptible } from './interrupt.js';
import { Progress, screen } from './screen.js';
import { expectWritable, writeOwn } from './writable.js';

interface CompareFlags {
  workload?: string[];
  picture?: boolean;
  html?: string;
  json?: boolean;
  verbose?: boolean;
}

const HELP = `
Examples:
  memprobe compare                        the built-in workloads, for a minute or so
  memprobe compare --workload lifo,larson some of them
  memprobe trace -o app.mt -- ./app       what a program of yours does with its memory ...
  memprobe compare app.mt --picture       ... on each allocator, and how full its heap is
  memprobe compare app.mt --html app.html a chart of the memory over time
The allocators: memprobe's own in TypeScript, glibc's malloc replayed in C, and glibc's malloc called from JavaScript. Each
replays in a process of its own. The built-in workloads: ${WORKLOADS.join(', ')}.`;

export function compareCommand(): Command {
  return new Command('compare')
    .description('replay workloads on TypeScript and on glibc allocators: time, memory, page faults')
    .argument('[trace...]', 'logs of mtrace(3), as memprobe trace makes them; .gz too')
    .option('--workload <names>', 'built-in workloads, by how their names begin, separated by commas', named)
    .option('--picture', 'draw each heap as it is when the workload is fullest')
    .option('--html <file>', 'write a page with a chart of the memory over time')
    .option('--json', 'all figures as JSON, memory in bytes, instead of text')
    .option('-v, --verbose', 'every figure of every workload')
    .addHelpText('after', HELP)
    .action(run);
}

/** The built-in workloads whose names begin so. */
function named(words: string): string[] {
  return words.split(',').flatMap((word) => {
    const wanted = word.trim().toLowerCase();
    const found = WORKLOADS.filter((name) => wanted !== '' && name.toLowerCase().startsWith(wanted));
    if (found.length > 0) return found;
    throw new InvalidArgumentError(`There is no workload '${word}'; there are ${WORKLOADS.join(', ')}.`);
  });
}

async function run(traces: string[], flags: CompareFlags): Promise<void> {
  const { html, json, verbose = false } = flags;
  if (html !== undefined) await expectWritable(html, '--html');
  const result = await interruptible('interrupted: the replays were ended', (signal) =>
    compareAll(traces, flags, signal),
  );
  process.stdout.write(
    json ? `${JSON.stringify(result, undefined, 2)}\n` : renderComparison(result, { ...screen(), verbose }),
  );
  if (html !== undefined) await writePage(html, result);
}

/** Traces that cannot be read are told of before anything is replayed. */
async function compareAll(
  traces: readonly string[],
  { workload, picture = false }: CompareFlags,
  signal: AbortSignal,
): Promise<Comparison> {
  const progress = new Progress();
  const options = { signal, picture, progress: progress.step };
  const compared: Compared[] = [];
  try {
    const recordings = await readAll(traces, signal, progress);
    for (const { workload, notes } of recordings) compared.push(await compare(workload, notes, options));
    for (const name of workload ?? (traces.length > 0 ? [] : WORKLOADS))
      compared.push(await compare(makeWorkload(name), [], options));
    return comparison(compared);
  } finally {
    progress.done();
  }
}

async function readAll(
  traces: readonly string[],
  signal: AbortSignal,
  progress: Progress,
): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (const path of traces) {
    const told = (bytes: number) => progress.step(`read ${formatBytes(bytes)} of ${path}`);
    const recording = await readRecording(path, nameOf(path), { signal, progress: told }).catch(
      (error: unknown) => {
        throw badLog(path, error);
      },
    );
    signal.throwIfAborted();
    expectCalls(path, recording.workload);
    recordings.push(recording);
  }
  return recordings;
}

function expectCalls(path: string, { calls }: Workload): void {
  if (calls > 0) return;
  const message = `${path} has no allocation in it: there is nothing to replay`;
  throw new CliError('ERR_MEMPROBE_EMPTY_LOG', message);
}

/** Nothing in a file's name may move the cursor. */
const nameOf = (path: string): string => basename(path).replace(/[\0-\x1f\x7f-\x9f]/g, '?');

async function writePage(path: string, result: Comparison): Promise<void> {
  await writeOwn(path, htmlOf(result), '--html');
  process.stderr.write(`memprobe: the charts are in ${path}\n`);
}
