/** `memprobe numa run --membind 0,1 -- node app.js`: starts a program on some nodes, with numactl's options. */
import { Command } from 'commander';
import {
  MPOL_BIND,
  MPOL_F_NUMA_BALANCING,
  MPOL_INTERLEAVE,
  MPOL_LOCAL,
  MPOL_PREFERRED,
  MPOL_PREFERRED_MANY,
  MPOL_WEIGHTED_INTERLEAVE,
  set_mempolicy,
} from '../libc/mempolicy.js';
import { allowedNodes, topology } from '../numa/index.js';
import { endLike } from './ending.js';
import { bindCpus, type CpuFlags, cpusOf } from './numa_cpus.js';
import { selected, usage } from './numa_flags.js';
import { runProgram } from './run.js';

/** Which memory; each takes its nodes, and only one of them can be in force. */
interface PolicyFlags {
  interleave?: string;
  weightedInterleave?: string;
  membind?: string;
  preferred?: string;
  preferredMany?: string;
  localalloc?: boolean;
  balancing?: boolean;
}

interface Policy {
  readonly flag: string;
  readonly mode: number;
  /** Absent: it takes none. */
  readonly nodes?: string;
}

const HELP = `
Nodes and CPUs are lists as numactl has them: 0,2-4, all, !1 (all but 1), +0-1 (the first two that may be used).

Examples:
  memprobe numa run --membind 0,1 -- node app.js              memory from nodes 0 and 1 alone
  memprobe numa run --interleave all -- node app.js           page by page from all nodes
  memprobe numa run --cpunodebind 0 --preferred 0 -- ./job    on node 0's CPUs, with its memory while it lasts
The program's exit code or signal becomes the command's. What the program starts is bound too.`;

export function numaRunCommand(): Command {
  return new Command('run')
    .description('start any program with its memory or CPUs on some nodes')
    .argument('<command...>', 'the program to start, after --')
    .passThroughOptions()
    .option('-m, --membind <nodes>', 'memory from these nodes alone')
    .option('-i, --interleave <nodes>', 'memory from these nodes in turn, page by page')
    .option('-w, --weighted-interleave <nodes>', "in turn, by the nodes' weights (Linux 6.9)")
    .option('-p, --preferred <node>', 'memory from this node while it has room')
    .option('-P, --preferred-many <nodes>', 'memory from these nodes while they have room (Linux 5.15)')
    .option('-l, --localalloc', 'memory from the node where a thread runs')
    .option('-b, --balancing', 'with --membind: pages may move among its nodes (Linux 5.12)')
    .option('-N, --cpunodebind <nodes>', 'run on the CPUs of these nodes')
    .option('-C, --physcpubind <cpus>', 'run on these CPUs')
    .addHelpText('after', HELP)
    .exitOverride()
    .action(run);
}

async function run(words: string[], flags: PolicyFlags & CpuFlags, command: Command): Promise<void> {
  const policy = policyOf(flags, command);
  const cpus = await cpusOf(flags, command);
  if (policy === undefined && cpus === undefined)
    usage(command, 'say where to run it: --membind, --interleave, --preferred, --cpunodebind …');
  // A program inherits both from the thread that starts it.
  if (policy !== undefined) await apply(policy, flags.balancing === true, command);
  if (cpus !== undefined) await bindCpus(cpus);
  endLike(await runProgram(words, process.env));
}

function policyOf(flags: PolicyFlags, command: Command): Policy | undefined {
  const choices: [flag: string, mode: number, nodes: string | undefined][] = [
    ['--membind', MPOL_BIND, flags.membind],
    ['--interleave', MPOL_INTERLEAVE, flags.interleave],
    ['--weighted-interleave', MPOL_WEIGHTED_INTERLEAVE, flags.weightedInterleave],
    ['--preferred', MPOL_PREFERRED, flags.preferred],
    ['--preferred-many', MPOL_PREFERRED_MANY, flags.preferredMany],
  ];
  const chosen = choices.flatMap(([flag, mode, nodes]): Policy[] =>
    nodes === undefined ? [] : [{ flag, mode, nodes }],
  );
  if (flags.localalloc) chosen.push({ flag: '--localalloc', mode: MPOL_LOCAL });
  if (chosen.length > 1)
    usage(
      command,
      `${chosen.map(({ flag }) => flag).join(' and ')} cannot be combined: a thread has one policy`,
    );
  if (flags.balancing && flags.membind === undefined) usage(command, '--balancing is for --membind');
  return chosen[0];
}

async function apply(
  { flag, mode, nodes: text }: Policy,
  balancing: boolean,
  command: Command,
): Promise<void> {
  if (text === undefined) return set_mempolicy(mode, null);
  const nodes = selected(command, flag, text, await memoryNodes(), 'nodes');
  if (mode === MPOL_PREFERRED && nodes.length !== 1)
    usage(
      command,
      `option '${flag}' takes one node, and '${text}' are ${nodes.length}: --preferred-many takes more`,
    );
  set_mempolicy(balancing ? mode | MPOL_F_NUMA_BALANCING : mode, nodes);
}

/** What the cpuset allows, which without one is every node that could be. */
async function memoryNodes(): Promise<number[]> {
  const { nodes } = await topology();
  const withMemory = new Set(nodes.filter(({ memory }) => memory.total > 0).map(({ id }) => id));
  return allowedNodes().filter((node) => withMemory.has(node));
}
