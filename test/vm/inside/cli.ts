/** `memprobe numa` and `memprobe numa run` on a machine with several nodes, against numactl and numastat. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MPOL_BIND } from '../../../lib/libc/index.js';
import type { Check } from './check.js';
import { withPolicy } from './memory.js';
import { numastat, withSleeper } from './process.js';
import { hardware, memoryNodes, output } from './witness.js';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const MIB = 1 << 20;

const memprobe = (...args: string[]): string => output(process.execPath, MAIN, 'numa', ...args);

// Where interleaving goes on depends on how many pages the start of the program took: on what else it found in memory.
const settled = (shown: string): string =>
  shown.replace(/\d+ \(interleave next\)|(?<=^interleavenode: )\d+/gm, 'next');

/** What a program that is started with these options is told by the kernel; ours and numactl's options are the same. */
function sameAsNumactl(...options: string[]): void {
  const ours = memprobe('run', ...options, '--', 'numactl', '--show');
  assert.equal(settled(ours), settled(output('numactl', ...options, 'numactl', '--show')), options.join(' '));
}

export const cliChecks: readonly Check[] = [
  {
    name: 'memprobe numa --json has the nodes and distances of numactl --hardware',
    on: ['two'],
    run() {
      const { nodes }: { nodes: { id: number; cpus: number[]; distances: Record<string, number> }[] } = JSON.parse(memprobe('--json')); // prettier-ignore
      const told = hardware();
      assert.deepEqual(new Map(nodes.map(({ id, cpus }) => [id, cpus])), told.cpus);
      assert.deepEqual(nodes.map(({ distances }) => Object.values(distances)), told.distances); // prettier-ignore
    },
  },
  {
    name: 'memprobe numa shows every node with its distances, and the policy that it was started with',
    run() {
      const [, node = 0] = memoryNodes();
      const text = withPolicy(MPOL_BIND, [node], () => memprobe());
      const { nodes, distances } = hardware();
      const table = text.slice(text.indexOf('DISTANCE'));
      nodes.forEach((id, i) =>
        assert.match(table, new RegExp(`^ *${id}\\D+${distances[i]?.join('\\D+')}\\D*$`, 'm')),
      );
      assert.match(text, new RegExp(`policy here: bind:${node}\\b`));
    },
  },
  {
    name: 'memprobe numa --pid has the memory of a process by node, as numastat -p',
    on: ['four'],
    async run() {
      const [, node = 0] = memoryNodes();
      await withSleeper(node, (pid) => {
        const told: { nodes: { node: number; total: number }[] } = JSON.parse(memprobe('--pid', String(pid), '--json')); // prettier-ignore
        for (const { node, total } of told.nodes) {
          assert(Math.abs(total / MIB - numastat(pid, 'Total', node)) < 0.02, `node ${node}: ${total}`);
        }
      });
    },
  },
  {
    name: 'memprobe numa run: --membind, --interleave, --preferred and --localalloc do what those of numactl do',
    on: ['four'],
    run() {
      const [, node = 0] = memoryNodes();
      sameAsNumactl(`--membind=${node}`);
      sameAsNumactl('--interleave=all');
      sameAsNumactl(`--preferred=${node}`);
      sameAsNumactl('--localalloc');
    },
  },
  {
    name: 'memprobe numa run: --cpunodebind and --physcpubind do what those of numactl do',
    on: ['two'],
    run() {
      sameAsNumactl('--cpunodebind=1');
      sameAsNumactl('--physcpubind=1,3', '--membind=0');
    },
  },
  {
    name: 'memprobe numa run ends as its program ends, and names a node that is not there',
    on: ['holes'],
    run() {
      const run = (...args: string[]) =>
        spawnSync(process.execPath, [MAIN, 'numa', 'run', ...args], { encoding: 'utf8' });
      assert.equal(run('--membind', '0', '--', 'sh', '-c', 'exit 7').status, 7);
      assert.equal(run('--membind', '0', '--', 'sh', '-c', 'kill -TERM $$').signal, 'SIGTERM');
      const absent = run('--membind', '2', '--', 'true');
      assert.equal(absent.status, 2);
      assert.match(absent.stderr, /--membind.*2/s);
    },
  },
];
