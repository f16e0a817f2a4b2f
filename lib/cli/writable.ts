import { lstat, open, rm } from 'node:fs/promises';
import { CliError, describeError } from './errors.js';

/** Throws where the file can't be written, before the work that it is to tell of is done; `flag` is what named it. */
export async function expectWritable(path: string, flag: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  const file = await open(path, 'a').catch((error: unknown) => {
    const message = `${path} cannot be written: ${describeError(error)}; give another ${flag}`;
    throw new CliError('ERR_MEMPROBE_BAD_FILE', message);
  });
  await file.close();
  if (there === undefined) await rm(path);
}
