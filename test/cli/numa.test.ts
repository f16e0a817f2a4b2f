/** `memprobe numa`, as it is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { renderTopology } from '../../lib/cli/numa_table.js';
import { MPOL_BIND, MPOL_F_NUMA_BALANCING, MPOL_INTERLEAVE, MPOL_LOCAL } from '../../lib/libc/index.js';
import { MPOL_PREFERRED, MPOL_PREFERRED_MANY } from '../../lib/libc/index.js';
import { addonPath } from '../../lib/native.js';
import { allowedNodes, formatList, topology } from '../../lib/numa/index.js';
import { refusing } from '../helpers/compile.js';
import { CLI, collectText, type CommandOptions, type Ended } from '../helpers/command.js';
import { root } from '../numa/captured.js';

/** `before`: what the command runs under. */
function memprobe(args: string[], before: string[] = [], kill?: CommandOptions['kill']): Promise<Ended> {
  const [command = '', ...rest] = [...before, process.execPath, CLI, 'numa', ...args];
  const env = { ...process.env, ADDON: addonPath, COLUMNS: '80', NO_COLOR: '1' };
  return collectText(command, rest, { env, kill });
}

const nodes = allowedNodes();
const [here = 0] = nodes;
const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

describe('memprobe numa', () => {
  test('shows nodes, distances and the policy, within 80 columns', async () => {
    const { code, stdout, stderr } = await memprobe([]);
    expect([code, stderr]).toEqual([0, '']);
    const { nodes: all } = await topology();
    expect(stdout).toMatch(
      new RegExp(`^${all.length} nodes? \\(${formatList(all.map(({ id }) => id))}\\), \\d+ CPU`),
    );
    expect(stdout).toContain('policy here: default');
    expect(stdout).toMatch(/^DISTANCE +0.*\n +0 +10/m);
    expect(widest(stdout)).toBeLessThanOrEqual(80);
  });

  test('--json has the figures of topology(), in bytes', async () => {
    const { stdout } = await memprobe(['--json']);
    const told: unknown = JSON.parse(stdout);
    const { nodes: all, possible, holes } = await topology();
    expect(told).toMatchObject({ possible, holes, policy: 'default', allowedNodes: nodes });
    expect(told).toMatchObject({
      nodes: all.map(({ id, cpus, memory, distances }) => ({
        id,
        cpus,
        memory: { total: memory.total },
        distances: Object.fromEntries(distances),
      })),
    });
  });

  test('--pid shows a process by node and kind', async () => {
    const { code, stdout } = await memprobe(['--pid', String(process.pid)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^process ${process.pid}: [\\d.]+ [KMG]iB on \\d+ node`));
    expect(stdout).toMatch(/^NODE +HEAP +STACK +HUGE +ANONYMOUS +FILES +TOTAL$/m);
    expect(widest(stdout)).toBeLessThanOrEqual(80);
    const json = await memprobe(['--pid', String(process.pid), '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      pid: process.pid,
      nodes: [{ node: here, heap: expect.any(Number) }],
      policies: [{ policy: 'default' }],
    });
  });

  test('of a process that is not there it fails with 1, of a word that is no pid with 2', async () => {
    const gone = await memprobe(['--pid', String(2 ** 22 + 1)]);
    expect([gone.code, gone.stdout]).toEqual([1, '']);
    expect(gone.stderr).toMatch(/^memprobe: ESRCH: /);
    expect((await memprobe(['--pid', 'x'])).code).toBe(2);
    expect((await memprobe(['--nodes'])).code).toBe(2);
  });
});

describe('the distances', () => {
  const here = { policy: 'default', allowedNodes: [0] };

  test('are a heat table: a shade without colour, the same with it', async () => {
    const four = await topology({ root: root('linux-6.1-four') });
    const plain = renderTopology(four, here, { columns: 80, color: false });
    expect(plain).toContain('   0      10   21▒  17░  28▓\n');
    expect(plain).toContain('   3      28▓  17░  31▓  10\n');
    const painted = renderTopology(four, here, { columns: 80, color: true });
    expect(painted.replace(/\x1b\[\d+m/g, '').replace(/ +$/gm, '')).toBe(plain);
    expect(painted).not.toBe(plain);
  });

  test('are in the README as they are printed', async () => {
    const four = await topology({ root: root('linux-6.1-four') });
    const allowed = { policy: 'default', allowedNodes: [0, 1, 2, 3] };
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    expect(readme).toContain(renderTopology(four, allowed, { columns: 80, color: false }));
  });

  test('of more nodes than there is room for come a piece at a time', async () => {
    const { nodes: few, ...rest } = await topology({ root: root('linux-6.1-four') });
    const ids = Array.from({ length: 40 }, (_, id) => id);
    const distances = new Map(ids.map((id) => [id, 10 + id]));
    const many = ids.flatMap((id) => few.slice(0, 1).map((node) => ({ ...node, id, distances })));
    const text = renderTopology({ ...rest, nodes: many }, here, { columns: 80, color: false });
    expect(text.match(/^DISTANCE/gm)).toHaveLength(3);
    expect(widest(text)).toBeLessThanOrEqual(80);
    expect(text).toContain('49▓');
  });

  test('a machine with a hole says which number is missing, and which node has no memory', async () => {
    const text = renderTopology(await topology({ root: root('linux-6.1-holes') }), here, {
      columns: 80,
      color: false,
    });
    expect(text).toMatch(/^3 nodes \(0-1,3\), 4 CPUs, .*, no node 2$/m);
    expect(text).toMatch(/^ {3}1 {2}2-3 .*\(no memory\)$/m);
    expect(text).toMatch(/^ {3}3 {2}none /m);
  });
});

/** A program that says its policy as the kernel has it, and its CPUs. */
const TELL = `const { mode, nodes } = require(process.env.ADDON).libc.get_mempolicy();
  console.log(JSON.stringify([mode, nodes, /Cpus_allowed_list:\\s*(.*)/.exec(require('fs').readFileSync('/proc/self/status'))[1]]));`;

describe('memprobe numa run', () => {
  const told = async (...args: string[]): Promise<unknown[]> => {
    const { code, stdout, stderr } = await memprobe(['run', ...args, '--', process.execPath, '-e', TELL]);
    expect([code, stderr]).toEqual([0, '']);
    return JSON.parse(stdout);
  };

  test.each([
    [['--membind', String(here)], MPOL_BIND, [here]],
    [['--interleave', 'all'], MPOL_INTERLEAVE, nodes],
    [['--preferred', '+0'], MPOL_PREFERRED, [here]],
    [['--preferred-many', 'all'], MPOL_PREFERRED_MANY, nodes],
    [['--localalloc'], MPOL_LOCAL, []],
    [['-m', 'all', '--balancing'], MPOL_BIND | MPOL_F_NUMA_BALANCING, nodes],
    [['-i', 'all'], MPOL_INTERLEAVE, nodes],
  ])('%s is the program’s policy', async (args, mode, mask) => {
    expect((await told(...args)).slice(0, 2)).toEqual([mode, mask]);
  });

  const numactl = spawnSync('numactl', ['--show']).status === 0;
  if (!numactl) console.error('numa: numactl is not here, so memprobe numa run is not compared with it');
  test
    .skipIf(!numactl)
    .each([
      ['--interleave=all'],
      [`--membind=${here}`],
      [`--preferred=${here}`],
      ['--localalloc'],
      [`--cpunodebind=${here}`, '--interleave=all'],
      ['--physcpubind=+0', `--membind=${here}`],
    ])('%s %s shows what numactl does with it', async (...args) => {
    const theirs = spawnSync('numactl', [...args, 'numactl', '--show'], { encoding: 'utf8' });
    const ours = await memprobe(['run', ...args, '--', 'numactl', '--show']);
    expect(ours).toMatchObject({ code: 0, stderr: '', stdout: theirs.stdout });
    expect(theirs.stdout).toContain('policy:');
  });

  test('the program’s exit code and signal become the command’s, and signals reach it', async () => {
    expect((await memprobe(['run', '-l', '--', 'sh', '-c', 'exit 42'])).code).toBe(42);
    expect((await memprobe(['run', '-l', 'sh', '-c', 'kill -KILL $$'])).signal).toBe('SIGKILL');
    const trap = 'trap "echo got; exit 3" TERM; echo ready; while :; do sleep 0.05; done';
    expect(await memprobe(['run', '-l', '--', 'sh', '-c', trap], [], ['SIGTERM', 'ready'])).toMatchObject({
      code: 3,
      stdout: 'ready\ngot\n',
    });
    const missing = await memprobe(['run', '-l', '--', '/no/such/program']);
    expect([missing.code, missing.stderr]).toEqual([
      1,
      expect.stringMatching(/could not be started: .*ENOENT/),
    ]);
  });

  test.each([
    [['--membind', '999'], /'--membind' argument '999' is invalid.* 999 is not among them/],
    [['--interleave', 'x'], /'--interleave' argument 'x' is invalid. It is no list such as/],
    [['--preferred', '!all'], /leaves no nodes/],
    [['--membind', '0', '--localalloc'], /--membind and --localalloc cannot be combined/],
    [['--balancing', '-l'], /--balancing is for --membind/],
    [['--physcpubind', '99999'], /CPUs that may be used here are .*: 99999 is not/],
    [['--cpunodebind', '999'], /nodes with CPUs .* 999 is not/],
    [['--cpunodebind', '0', '--physcpubind', '0'], /cannot be combined/],
    [[], /say where to run it/],
  ])('%s is a wrong command line', async (args, problem) => {
    const { code, stdout, stderr } = await memprobe(['run', ...args, '--', 'echo', 'ran']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(problem);
  });
});

describe('where the calls are refused', () => {
  test('by a seccomp filter the message says so, and what is missing', async () => {
    const filter = refusing('EPERM');
    const shown = await memprobe([], filter);
    expect(shown.code).toBe(0); // nodes can be had all the same
    expect(shown.stdout.replace(/\s+/g, ' ')).toMatch(
      /policy here: not to be had. EPERM: .* seccomp filter .*CAP_SYS_NICE/,
    );
    const run = await memprobe(['run', '--interleave', 'all', '--', 'echo', 'ran'], filter);
    expect([run.code, run.stdout]).toEqual([1, '']);
    expect(run.stderr).toMatch(/^memprobe: EPERM: .* seccomp filter .*CAP_SYS_NICE/);
  });

  test('by a kernel without NUMA it is another one', async () => {
    const run = await memprobe(['run', '--localalloc', '--', 'echo', 'ran'], refusing('ENOSYS'));
    expect([run.code, run.stdout]).toEqual([1, '']);
    expect(run.stderr).toMatch(
      /^memprobe: ERR_MEMPROBE_UNSUPPORTED: set_mempolicy needs Linux [\d.]+ with CONFIG_NUMA/,
    );
  });
});

describe('without libnuma', () => {
  /** The library hidden by an empty file, in a mount namespace of the command's own. */
  const libnuma = /=> (\S*libnuma\.so\.1)/.exec(
    execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' }),
  )?.[1];
  const hide = ['unshare', '-m', 'sh', '-c', `mount --bind /dev/null ${libnuma} && exec "$@"`, 'sh'];
  const [command = '', ...args] = [...hide, 'true'];
  const can = libnuma !== undefined && spawnSync(command, args).status === 0;
  if (!can)
    console.error('numa: libnuma can not be hidden here, so memprobe numa run is not tested without it');

  test.skipIf(!can)('memory is bound all the same, CPUs are not, and it says how to get it', async () => {
    const memory = await memprobe(['run', '--membind', 'all', '--', process.execPath, '-e', TELL], hide);
    expect([memory.code, memory.stderr]).toEqual([0, '']);
    expect(JSON.parse(memory.stdout)).toMatchObject([MPOL_BIND, nodes, expect.any(String)]);
    const cpus = await memprobe(['run', '--physcpubind', '+0', '--', 'echo', 'ran'], hide);
    expect([cpus.code, cpus.stdout]).toEqual([1, '']);
    expect(cpus.stderr).toMatch(/^memprobe: ERR_MEMPROBE_UNSUPPORTED: libnuma is not installed .*libnuma1/);
    expect((await memprobe([], hide)).stdout).toContain('policy here: default');
  });
});
