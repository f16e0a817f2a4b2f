/** What the errors of the calls look like. */
import { constants } from 'node:os';
import { expect } from 'vitest';

const numbers: Record<string, number> = constants.errno;

export async function rejected(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in outcome && outcome.error instanceof Error) return outcome.error;
  throw new Error(
    `resolved to ${String('value' in outcome ? outcome.value : outcome.error)}, and should not have`,
  );
}

export function thrown(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`threw ${String(error)}, which is no Error`);
  }
  throw new Error('did not throw');
}

/** The shape of a system error, as Node's own have it. */
export function expectSystemError(error: Error, code: string, syscall: string): void {
  expect(error).toMatchObject({ code, syscall, errno: -(numbers[code] ?? Number.NaN) });
  expect(error.message).toMatch(new RegExp(`^${code}: .+, ${syscall}`));
}

export function expectThrows(code: string, syscall: string, call: () => unknown): void {
  expectSystemError(thrown(call), code, syscall);
}

/** The guard's refusals, and what is missing here: a code of the package's own and no errno. */
export function expectRefused(code: string, syscall: string, call: () => unknown): void {
  const error = thrown(call);
  expect(error).toMatchObject({ code, syscall });
  expect(error).not.toHaveProperty('errno');
  expect(error.message).toMatch(new RegExp(`^${code}: .{20,}, ${syscall}`));
}

export const expectNotOwned = (syscall: string, call: () => unknown): void =>
  expectRefused('ERR_MEMPROBE_NOT_OWNED', syscall, call);

/** Node's own argument errors, which name the parameter. */
export function expectTypeError(parameter: string, call: () => unknown): void {
  const error = thrown(call);
  expect(error).toBeInstanceOf(TypeError);
  expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  expect(error.message).toContain(`The "${parameter}" argument must be `);
}

export function expectRangeError(parameter: string, call: () => unknown): void {
  const error = thrown(call);
  expect(error).toBeInstanceOf(RangeError);
  expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
  expect(error.message).toContain(`The value of "${parameter}" is out of range. It must `);
}
