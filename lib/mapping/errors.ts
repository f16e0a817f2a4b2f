/** The one place that makes the errors of `Mapping`; what the kernel refuses comes as Node system errors from below. */
import { inspect } from 'node:util';

type Code = 'ERR_MEMPROBE_CLOSED' | 'ERR_MEMPROBE_FAULTED' | 'ERR_MEMPROBE_READ_ONLY';

/** `code` says which: closed already, pages of its file are missing, or opened for reading. */
export class MappingError extends Error {
  readonly code: Code;
  override readonly name = 'MappingError';

  constructor(code: Code, why: string) {
    super(`${code}: ${why}`);
    this.code = code;
  }
}

export const closed = (): MappingError =>
  new MappingError('ERR_MEMPROBE_CLOSED', 'this Mapping was closed; make or attach another');

export const faulted = (path: string | undefined): MappingError =>
  new MappingError(
    'ERR_MEMPROBE_FAULTED',
    `${path ?? 'the file'} became shorter under this mapping, or its filesystem is full: zeroes stand where pages are ` +
      'missing, and what is written there is lost. close() it, and map the file again',
  );

export const readOnly = (path: string | undefined): MappingError =>
  new MappingError(
    'ERR_MEMPROBE_READ_ONLY',
    `${path ?? 'this mapping'} is mapped with access 'read'; 'write' changes the file, 'private' a copy`,
  );

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
