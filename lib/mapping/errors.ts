/** The one place that makes the errors of `Mapping`; what the kernel refuses comes as Node system errors from below. */

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
