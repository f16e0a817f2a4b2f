/** The machine's NUMA nodes, as sysfs has them: no libnuma is needed, and no privilege. */
import { readdir, readFile } from 'node:fs/promises';
import { UnsupportedError } from '../native.js';
import { type NodeFiles, type NumaNode, parseNode } from './node.js';
import { parseList } from './lists.js';

export interface TopologyOptions {
  /** Where sysfs is mounted, or a directory of captured files; default '/sys'. */
  root?: string;
}

export interface NumaTopology {
  /** Ascending by number; what is online, with or without memory. */
  nodes: NumaNode[];
  /** Numbers that the kernel keeps for nodes, whether they are there or may come. */
  possible: number[];
  /** Numbers below the highest node's that no node has. */
  holes: number[];
}

const WHERE = 'devices/system/node';

/**
 * Nodes, their CPUs, memory, distances and huge pages. Rejects with `ERR_MEMPROBE_UNSUPPORTED` where the kernel has no
 * NUMA (CONFIG_NUMA) or sysfs is not mounted; with `ERR_MEMPROBE_PARSE` for what no kernel writes. @see numa(7)
 */
export async function topology({ root = '/sys' }: TopologyOptions = {}): Promise<NumaTopology> {
  const base = `${root}/${WHERE}`;
  const names = await readdir(base).catch((cause: unknown) => {
    throw unsupported(base, cause);
  });
  const ids = names.flatMap((name) => (/^node\d+$/.test(name) ? [Number(name.slice('node'.length))] : []));
  ids.sort((a, b) => a - b);
  const files = await Promise.all(ids.map((id) => readNode(`${base}/node${id}`)));
  // A node may go offline between the listing and the reading.
  const nodes = ids.flatMap((id, index) => parsed(id, files[index], `${base}/node${id}`, ids));
  const present = new Set(nodes.map(({ id }) => id));
  const possible = parseList(await text(`${base}/possible`)) ?? [...present];
  const highest = nodes.at(-1)?.id ?? -1;
  const holes = Array.from({ length: highest + 1 }, (_, id) => id).filter((id) => !present.has(id));
  return { nodes, possible, holes };
}

function parsed(id: number, files: NodeFiles | undefined, path: string, online: number[]): NumaNode[] {
  return files === undefined ? [] : [parseNode(id, files, online, path)];
}

async function readNode(path: string): Promise<NodeFiles | undefined> {
  try {
    const [cpulist = '', distance = '', meminfo = ''] = await Promise.all(
      ['cpulist', 'distance', 'meminfo'].map((name) => readFile(`${path}/${name}`, 'latin1')),
    );
    return { cpulist, distance, meminfo, hugepages: await readHugePages(`${path}/hugepages`) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A kernel without hugetlbfs, and a node without memory, has no such directory. */
async function readHugePages(path: string): Promise<NodeFiles['hugepages']> {
  const sizes = await readdir(path).catch(() => []);
  return Promise.all(
    sizes.map(async (size) => ({
      size,
      total: await text(`${path}/${size}/nr_hugepages`),
      free: await text(`${path}/${size}/free_hugepages`),
      surplus: await text(`${path}/${size}/surplus_hugepages`),
    })),
  );
}

const text = (path: string): Promise<string> => readFile(path, 'latin1').catch(() => '');

function unsupported(path: string, cause: unknown): UnsupportedError {
  return new UnsupportedError(
    `ERR_MEMPROBE_UNSUPPORTED: ${path} is not there: this kernel has no NUMA (CONFIG_NUMA), or sysfs is not mounted`,
    { cause },
  );
}
