/**
 * The process that is fuzzed: does the sequences FIRST to LAST of SEED. What it is about to do goes into the pipe before it
 * does it, a line each: `s NUMBER` for a sequence, `.` for a step, `o OUTCOME` for what was not seen before, `c COUNT` of
 * calls made at each sequence's end, `end`.
 *   program.ts SEED FIRST LAST [STEPS]    STEPS: only these of each sequence, 0,3,4
 */
import { writeSync } from 'node:fs';
import { native } from '../../lib/native.js';
import { describeStep, perform, type Step, sequence } from './sequence.js';
import { World } from './world.js';

const PIPE = 3;
const COLLECT_EVERY = 40;
/** Sequences; the books take as long to check as some of them. */
const CHECK_EVERY = 8;
const [seed = 0, first = 0, last = 0] = process.argv.slice(2, 5).map(Number);
const kept = process.argv[5]?.split(',').map(Number);
const telling = process.env.MEMPROBE_FUZZ_TELL === '1';

const say = (line: string): void => void writeSync(PIPE, `${line}\n`);

/** For the test of the fuzzer itself: a step in the middle that no process survives. */
const planted: Step[] =
  process.env.MEMPROBE_FUZZ_PLANT === undefined
    ? []
    : [{ label: process.env.MEMPROBE_FUZZ_PLANT, run: () => process.abort() }];

function stepsOf(number: number): Step[] {
  const steps = sequence(seed, number);
  steps.splice(3, 0, ...planted);
  return steps.filter((_, i) => kept === undefined || kept.includes(i));
}

const world = new World();
const outcomes = new Set<string>();

function note(outcome: string): void {
  if (outcomes.has(outcome)) return;
  outcomes.add(outcome);
  say(`o ${outcome}`);
}

/** How many calls that was. */
async function run(number: number): Promise<number> {
  let calls = 0;
  for (const step of stepsOf(number)) {
    say(telling ? `t ${describeStep(step)}` : '.');
    const outcome = perform(step, world);
    if (outcome === undefined) continue;
    calls++;
    if ('target' in step) note(`${step.target.name} ${outcome}`);
  }
  await world.clear();
  return calls;
}

/** The guard's books contradict themselves or the kernel's: as bad as a death, and ends as one. */
async function checkBooks(): Promise<void> {
  await world.settle();
  const problems = native.libc.guard_check();
  if (problems.length === 0) return;
  console.error(`guard_check: ${problems.join('; ')}`);
  process.exit(70);
}

for (let number = first; number < last; number++) {
  say(`s ${number}`);
  say(`c ${await run(number)}`);
  if (telling || number % CHECK_EVERY === 0) await checkBooks();
  if (number % COLLECT_EVERY === 0) globalThis.gc?.();
}
say('end');
world.endAccomplice();
process.exit(0);
