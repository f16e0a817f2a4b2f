/** The machines that the NUMA tests run on. Linux numbers nodes with CPUs first, so memory-only nodes come last here. */

interface MachineNode {
  /** CPU numbers as qemu takes them ('0-1'); absent: memory only. */
  readonly cpus?: string;
  /** In MiB; absent: CPUs only. */
  readonly memory?: number;
}

export interface Topology {
  readonly name: string;
  readonly title: string;
  readonly nodes: readonly MachineNode[];
  /** Row by row, as numactl --hardware shows them; absent: 10 at home, 20 elsewhere. */
  readonly distances?: readonly (readonly number[])[];
  /** For the kernel's command line. */
  readonly append: string;
}

export const TWO: Topology = {
  name: 'two',
  title: 'two nodes',
  nodes: [
    { cpus: '0-1', memory: 768 },
    { cpus: '2-3', memory: 768 },
  ],
  append: '',
};

export const FOUR: Topology = {
  name: 'four',
  title: 'four nodes, two of them without CPUs, with uneven distances, huge pages and swap',
  nodes: [{ cpus: '0-1', memory: 512 }, { cpus: '2-3', memory: 512 }, { memory: 192 }, { memory: 384 }],
  distances: [
    [10, 21, 17, 28],
    [21, 10, 28, 17],
    [17, 28, 10, 31],
    [28, 17, 31, 10],
  ],
  append: 'hugepagesz=2M hugepages=0:8,1:4,2:2,3:6',
};

/** memmap hides node 2's memory, which leaves the node nothing. */
export const HOLES: Topology = {
  name: 'holes',
  title: 'a node without memory, a hole in the numbers and a node without CPUs',
  nodes: [{ cpus: '0-1', memory: 768 }, { cpus: '2-3' }, { memory: 256 }, { memory: 512 }],
  distances: [
    [10, 15, 20, 25],
    [15, 10, 20, 30],
    [20, 20, 10, 20],
    [25, 30, 20, 10],
  ],
  append: 'memmap=256M$768M',
};

export const TOPOLOGIES = [TWO, FOUR, HOLES];

/** qemu's arguments for the nodes: their CPUs, memory and distances. */
export function nodeArguments({ nodes, distances = [] }: Topology): string[] {
  const memory = nodes.reduce((sum, node) => sum + (node.memory ?? 0), 0);
  const sockets = nodes.filter(({ cpus }) => cpus !== undefined).length;
  return [
    ...['-m', `${memory}M`, '-smp', `${sockets * 2},sockets=${sockets},cores=2,threads=1`],
    ...nodes.flatMap(nodeArgument),
    ...distances.flatMap((row, src) =>
      row.flatMap((val, dst) => (src === dst ? [] : ['-numa', `dist,src=${src},dst=${dst},val=${val}`])),
    ),
  ];
}

function nodeArgument({ cpus, memory }: MachineNode, id: number): string[] {
  const parts = [`node,nodeid=${id}`];
  if (cpus !== undefined) parts.push(`cpus=${cpus}`);
  if (memory === undefined) return ['-numa', parts.join(',')];
  const backend = `memory-backend-ram,size=${memory}M,id=m${id}`;
  return ['-object', backend, '-numa', [...parts, `memdev=m${id}`].join(',')];
}
