/** The captured machines of test/fixtures/sys, and what numactl said on each. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const MACHINES = ['linux-6.18-one', 'linux-6.1-two', 'linux-6.1-four', 'linux-6.1-holes'] as const;
export type Machine = (typeof MACHINES)[number];

export const root = (machine: Machine): string =>
  fileURLToPath(new URL(`../fixtures/sys/${machine}`, import.meta.url));

export const captured = (machine: Machine, file: string): string =>
  readFileSync(`${root(machine)}/${file}`, 'latin1');

/** The numbers of 'node 0 cpus: 0 1' and the like. */
export const numbers = (text: string | undefined): number[] =>
  (text ?? '').split(/\s+/).filter(Boolean).map(Number);
