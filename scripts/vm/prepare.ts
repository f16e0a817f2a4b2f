/** Everything that a machine needs to boot, under build/vm; what is up to date is not done again. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { prepareInitrd } from './initrd.js';
import { prepareKernel } from './kernel.js';
import { installTools } from './tools.js';

export interface Machine {
  /** For what is made at run time: consoles. */
  readonly directory: string;
  readonly kernel: string;
  readonly initrd: string;
}

export function prepare(): Machine {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      `the NUMA machine runs this Node inside, so it needs Linux on x86-64: this is ${process.platform}-${process.arch}`,
    );
  }
  const directory = fileURLToPath(new URL('../../build/vm', import.meta.url));
  mkdirSync(directory, { recursive: true });
  installTools();
  const kernel = prepareKernel(directory);
  return { directory, kernel: kernel.image, initrd: prepareInitrd(directory, kernel) };
}
