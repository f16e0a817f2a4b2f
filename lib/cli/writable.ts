/** Files that commands write: for their owner alone, and never through a symbolic link. */
import { constants, lstat, open, rm, writeFile } from 'node:fs/promises';
import { CliError, describeError } from './errors.js';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

function fail(path: string, flag: string, error: unknown): never {
  const linked = error instanceof Error && 'code' in error && error.code === 'ELOOP';
  const why = linked ? 'it is a symbolic link' : describeError(error);
  throw new CliError('ERR_MEMPROBE_BAD_FILE', `${path} cannot be written: ${why}; give another ${flag}`);
}

/** Throws where the file can't be written, before the work that it is to tell of is done; `flag` is what named it. */
export async function expectWritable(path: string, flag: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  const flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW;
  const file = await open(path, flags, 0o600).catch((error: unknown) => fail(path, flag, error));
  await file.close();
  if (there === undefined) await rm(path);
}

export async function writeOwn(path: string, text: string, flag: string): Promise<void> {
  const options = { flag: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600 };
  await writeFile(path, text, options).catch((error: unknown) => fail(path, flag, error));
}
