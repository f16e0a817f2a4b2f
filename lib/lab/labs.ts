/** All labs, in the order of the lessons. */
import type { Lab } from './bench.js';
import { brkLab } from './brk.js';
import { checkLab } from './check.js';
import { cow } from './cow.js';
import { LabError } from './errors.js';
import { faults } from './faults.js';
import { madviseLab } from './madvise.js';
import { mallocLab } from './malloc.js';
import { mincoreLab } from './mincore.js';
import { mlockLab } from './mlock.js';
import { mmapLab } from './mmap.js';
import { mremapLab } from './mremap.js';
import { traceLab } from './trace.js';

export const labs: readonly Lab[] = [
  brkLab,
  mmapLab,
  madviseLab,
  cow,
  faults,
  mallocLab,
  mlockLab,
  mincoreLab,
  mremapLab,
  traceLab,
  checkLab,
];

/** Throws a LabError that names those that there are. */
export function findLab(name: string): Lab {
  const lab = labs.find((other) => other.name === name);
  if (lab) return lab;
  const names = labs.map((other) => other.name).join(', ');
  throw new LabError(`there is no lab '${name}'; there are ${names}`, 'ERR_MEMPROBE_USAGE');
}
