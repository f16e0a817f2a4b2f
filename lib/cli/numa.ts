/** `memprobe numa`: the machine's nodes, this command's policy, and where a process's memory lies. */
import { Command } from 'commander';
import {
  allowedNodes,
  formatPolicy,
  type NumaTopology,
  policy,
  processMemory,
  topology,
} from '../numa/index.js';
import { describeError, parseCount } from './errors.js';
import { numaRunCommand } from './numa_run.js';
import { type PolicyHere, renderProcess, renderTopology } from './numa_table.js';
import { screen } from './screen.js';

interface NumaFlags {
  pid?: number;
  json?: boolean;
}

const HELP = `
Examples:
  memprobe numa                                    nodes, CPUs, memory, huge pages, distances
  memprobe numa --pid 1234                         where that process's memory lies
  memprobe numa run --membind 0,1 -- node app.js   with memory from these nodes alone`;

export function numaCommand(): Command {
  return new Command('numa')
    .description("the machine's NUMA nodes, and where a process's memory lies; 'run' binds a program to some")
    .enablePositionalOptions()
    .option('-p, --pid <pid>', "this process's memory, by node and kind", parseCount)
    .option('--json', 'all figures as JSON, sizes in bytes')
    .addHelpText('after', HELP)
    .addCommand(numaRunCommand())
    .action(run);
}

async function run({ pid, json }: NumaFlags): Promise<void> {
  const text = await (pid === undefined ? machine(json) : ofProcess(pid, json));
  process.stdout.write(text);
}

async function machine(json = false): Promise<string> {
  const nodes = await topology();
  const here = policyHere();
  return json ? toJson({ ...plain(nodes), ...here }) : renderTopology(nodes, here, screen());
}

async function ofProcess(pid: number, json = false): Promise<string> {
  const memory = await processMemory({ pid });
  return json ? toJson({ pid, ...memory }) : renderProcess(pid, memory, screen());
}

/** The nodes are worth showing also where asking for the policy is refused. */
function policyHere(): PolicyHere {
  try {
    return { policy: formatPolicy(policy()), allowedNodes: allowedNodes() };
  } catch (error) {
    return { refused: describeError(error) };
  }
}

/** JSON has no Map. */
function plain({ nodes, ...rest }: NumaTopology): object {
  const flat = nodes.map((node) => ({ ...node, distances: Object.fromEntries(node.distances) }));
  return { nodes: flat, ...rest };
}

const toJson = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;
