/** A sequence of calls and deeds out of a seed, and what comes of each. */
import fc from 'fast-check';
import { type Deed, deeds } from './deeds.js';
import { type Target, targets } from './surface.js';
import { anything, type Value, type Values, valuesFor } from './values.js';
import { isVetoed } from './vetoes.js';
import type { World } from './world.js';

export interface Call {
  readonly target: Target;
  readonly args: readonly Value[];
  readonly receiver: Value | undefined;
}
export type Step = Call | Deed;

const SHORTEST = 8;
const LONGEST = 40;

const receivers: Values = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .nat(7)
      .map((i) => ({ label: `object ${i}`, make: (world: World) => world.objects.at(-1 - i) })),
  },
  { weight: 1, arbitrary: anything },
);

/** Now and then an argument too few or too many. */
function argumentsFor({ name, parameters }: Target): fc.Arbitrary<Value[]> {
  const call = name.slice(name.lastIndexOf('.') + 1);
  const fitting = fc.tuple(...parameters.map((parameter) => valuesFor(call, parameter)));
  const few = fc.tuple(fitting, fc.nat(4)).map(([args, count]) => args.slice(0, count));
  const many = fc.tuple(fitting, anything).map(([args, more]) => [...args, more]);
  return fc.oneof(
    { weight: 14, arbitrary: fitting },
    { weight: 1, arbitrary: few },
    { weight: 1, arbitrary: many },
  );
}

const call = (target: Target): fc.Arbitrary<Call> =>
  fc
    .tuple(argumentsFor(target), target.of === undefined ? fc.constant(undefined) : receivers)
    .map(([args, receiver]) => ({ target, args, receiver }));

const calls = (only: (target: Target) => boolean, factor: number): fc.WeightedArbitrary<Call>[] =>
  targets.filter(only).map((target) => ({ weight: target.weight * factor, arbitrary: call(target) }));

/** What makes and gives back memory oftener than the rest, so that there is something to work on. */
const MAKERS =
  /^(libc|promises)\.(mmap|malloc|munmap|free|view|realloc|mremap|memfd_create|mprotect|madvise)$|Mapping/;
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.oneof(...calls(({ name }) => MAKERS.test(name), 1)) },
  { weight: 5, arbitrary: fc.oneof(...calls(() => true, 1)) },
  { weight: 2, arbitrary: deeds },
);
const sequences = fc.array(step, { minLength: SHORTEST, maxLength: LONGEST, size: 'max' });

/** The same for the same seed and number. */
export function sequence(seed: number, number: number): Step[] {
  const [steps = []] = fc.sample(sequences, { seed: Math.imul(seed, 0x9e3779b1) + number, numRuns: 1 });
  return steps;
}

export function describeStep(step: Step): string {
  if ('run' in step) return step.label;
  const { target, args, receiver } = step;
  return `${receiver ? `${receiver.label}: ` : ''}${target.name}(${args.map(({ label }) => label).join(', ')})`;
}

const nameOfError = (error: unknown): string =>
  error instanceof Error ? String(('code' in error && error.code) || error.name) : `thrown ${typeof error}`;

/** What came of it, as a word; undefined for what is no call. */
export function perform(step: Step, world: World): string | undefined {
  if ('run' in step) return void step.run(world);
  const { target, receiver } = step;
  const name = target.name.slice(target.name.lastIndexOf('.') + 1);
  try {
    const args = step.args.map((value) => value.make(world));
    if (isVetoed(name, args)) return undefined;
    const result = target.call(args, receiver?.make(world));
    world.absorb(name, result, args);
    return result === null ? 'null' : Array.isArray(result) ? 'array' : typeof result;
  } catch (error) {
    return nameOfError(error);
  }
}
