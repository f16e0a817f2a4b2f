/** Arguments that are not what they should be: the errors that Node throws, with the parameter's name. */
import { inspect } from 'node:util';

export function wrongType(name: string, expected: string, got: unknown): TypeError {
  const error = new TypeError(`The "${name}" argument must be ${expected}. Received ${inspect(got)}`);
  return Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

export function outOfRange(name: string, expected: string, got: unknown): RangeError {
  const error = new RangeError(
    `The value of "${name}" is out of range. It must be ${expected}. Received ${inspect(got)}`,
  );
  return Object.assign(error, { code: 'ERR_OUT_OF_RANGE' });
}

/** `value`, if it is an integer from `low` to `high`. */
export function integer(name: string, value: unknown, low: number, high = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number') throw wrongType(name, 'of type number', value);
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw outOfRange(name, `an integer from ${low} to ${high}`, value);
}

/** Throws unless `options` is an object whose keys are all `known`: a misspelt one would change nothing, silently. */
export function checkOptions(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw wrongType('options', 'of type object', options);
  const strange = Object.keys(options).find((key) => !known.includes(key));
  if (strange === undefined) return;
  const error = new TypeError(`The property 'options.${strange}' is unknown. Known are ${known.join(', ')}`);
  throw Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
}
