/** Runs labs as the command does, and finds steps in their reports. */
import { fileURLToPath } from 'node:url';
import type { Change, LabReport, LabStep } from '../../lib/lab/report.js';
import { findLab, labs } from '../../lib/lab/labs.js';
import { runLab } from '../../lib/lab/run.js';
import { DEBUG_LIBRARY, unless } from '../mtrace/support.js';

/** The lab's process runs plain JavaScript. */
export const ENTRY = fileURLToPath(new URL('../../dist/lab/child.js', import.meta.url));

/** Pages that the step itself may cost in the sums over the process: Node is not made for standing still. */
export const FEW = 16;

export function report(name: string): Promise<LabReport> {
  return runLab(findLab(name), { entry: ENTRY });
}

export function stepOf({ lab, sections }: LabReport, id: string): LabStep {
  const step = sections.flatMap(({ steps }) => steps).find((other) => other.id === id);
  if (!step) throw new Error(`the lab ${lab} has no step ${id}`);
  return step;
}

export function changeOf(found: LabReport, id: string): Change {
  const { change } = stepOf(found, id);
  if (!change) throw new Error(`the step ${id} of the lab ${found.lab} was not looked at`);
  return change;
}

/** Options for a Node that has what V8 does to about 1 of 140, which have it already: a mapping right above the heap. */
export function blockedHeap(): string[] {
  const libc = new URL('../../dist/libc/index.js', import.meta.url).href;
  const program = `import { mmap, sbrk, PROT_NONE, MAP_PRIVATE, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE }
      from ${JSON.stringify(libc)};
    const end = (sbrk(0) + 4095n) & ~4095n;
    try { mmap(end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0); }
    catch (error) { if (error.code !== 'EEXIST') throw error; }`;
  return ['--import', `data:text/javascript,${encodeURIComponent(program)}`];
}

/** The sign of each mapping of that name in a step's difference. */
export function signsOf(found: LabReport, id: string, label: string): string {
  return changeOf(found, id)
    .maps.filter((line) => (line.label ?? line.path) === label)
    .map(({ sign }) => sign)
    .join('');
}

/** Two of them are about what glibc's debugging library finds. */
export const runnable = labs.filter(
  ({ name }) => !['trace', 'check'].includes(name) || !unless({ libc_malloc_debug: DEBUG_LIBRARY }),
);
