/** The CPUs of `memprobe numa run`. */
import type { Command } from 'commander';
import { parseList, topology } from '../numa/index.js';
import { readStatus } from '../procfs/status.js';
import { selected, usage } from './numa_flags.js';

export interface CpuFlags {
  cpunodebind?: string;
  physcpubind?: string;
}

/** The CPUs that the flags name; undefined where they name none. */
export async function cpusOf(
  { cpunodebind, physcpubind }: CpuFlags,
  command: Command,
): Promise<number[] | undefined> {
  if (cpunodebind !== undefined && physcpubind !== undefined)
    usage(command, '--cpunodebind and --physcpubind cannot be combined: name the CPUs');
  const allowed = await allowedCpus();
  if (physcpubind !== undefined) return selected(command, '--physcpubind', physcpubind, allowed, 'CPUs');
  if (cpunodebind === undefined) return undefined;
  const { nodes } = await topology();
  const usable = nodes.filter(({ cpus }) => cpus.some((cpu) => allowed.includes(cpu)));
  const ids = usable.map(({ id }) => id);
  const chosen = selected(command, '--cpunodebind', cpunodebind, ids, 'nodes with CPUs');
  const cpus = usable.flatMap((node) => (chosen.includes(node.id) ? node.cpus : []));
  return cpus.filter((cpu) => allowed.includes(cpu));
}

async function allowedCpus(): Promise<number[]> {
  const { Cpus_allowed_list: list } = await readStatus();
  // A list of one is a number to the reader of status.
  return parseList(String(list)) ?? [];
}

/** The calling thread, and what it starts. Loaded only here: libnuma may be missing, and the call says so. */
export async function bindCpus(cpus: readonly number[]): Promise<void> {
  const { numa_sched_setaffinity } = await import('../libnuma/index.js');
  numa_sched_setaffinity(0, cpus);
}
