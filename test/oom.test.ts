/** Out of memory: exceptions from the calls, or the clean end that Node itself chooses; never a signal from our code. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { isRoot, NODES, run, said } from './helpers/child.js';

/** What Node says when V8 is out of memory, and ends by itself. */
const NODE_GAVE_UP = /out of memory|Fatal|heap limit|Allocation failed/i;

/** What is spared goes when memory is out, before anything else is done: Node's own code ends the process where it gets none. */
const SCENE = `const kept = [], keep = (value) => kept.push(value), spared = anonymous(32 << 20);`;

/** Each takes memory until there is no more; what it throws then. */
const TAKERS: Record<string, [call: string, codes: RegExp]> = {
  malloc: ['keep(libc.malloc(16 << 20))', /^ENOMEM$/],
  calloc: ['keep(libc.calloc(1 << 20, 16))', /^ENOMEM$/],
  posix_memalign: ['keep(libc.posix_memalign(4096, 16 << 20))', /^ENOMEM$/],
  mmap: ['keep(anonymous(16 << 20))', /^ENOMEM$/],
  mremap: ['keep(libc.mremap(anonymous(4096), 4096, 16 << 20, c.MREMAP_MAYMOVE))', /^ENOMEM$/],
  realloc: ['keep(libc.realloc(libc.malloc(1), 16 << 20))', /^ENOMEM$/],
  peek: [
    'keep(libc.peek(big, 64 << 20))',
    /^(ENOMEM|RangeError|ERR_MEMPROBE_.*|EFAULT|GENERIC_FAILURE|Error)$/,
  ],
};

/** The address space that a fresh Node of this kind takes, and 512 MiB more. */
async function roomFor(node: string): Promise<number> {
  const [kib] = await said(
    `say(Number(/VmPeak:\\s*(\\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'latin1'))[1]));`,
    { node },
  );
  return Number(kib) + 512 * 1024;
}

test.each(
  NODES.flatMap((node) => Object.entries(TAKERS).map(([name, taker]) => [name, node, ...taker] as const)),
)('%s under a tight RLIMIT_AS throws, and the books stay right: %s', async (_, node, call, codes) => {
  const room = await roomFor(node);
  const { code, signal, stdout, stderr } = await run(
    `${SCENE}
       const big = anonymous(64 << 20);
       let code;
       for (let i = 0; i < 4000 && code === undefined; i++) try { ${call}; } catch (error) { libc.munmap(spared, 32 << 20); code = error.code ?? error.name; }
       for (const each of kept) if (typeof each === 'bigint') outcome(() => libc.free(each));
       kept.length = 0;
       say([code, libc.guard_check()]);`,
    { node, before: `ulimit -v ${room}` },
  );
  if (code !== 0) {
    expect({ signal, stderr }).toEqual({ signal: 'SIGABRT', stderr: expect.stringMatching(NODE_GAVE_UP) });
    return;
  }
  const [thrown, problems]: unknown[] = JSON.parse(stdout);
  expect(thrown).toEqual(expect.stringMatching(codes));
  expect(problems).toEqual([]);
});

test('the promise forms reject', async () => {
  const room = await roomFor(process.execPath);
  expect(
    await said(
      `(async () => {
         const big = anonymous(300 << 20);
         say([await rejection(promises.mmap(0n, 2 ** 36, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS, -1, 0)),
              await rejection(promises.peek(big, 300 << 20)), libc.guard_counts().pins, libc.guard_check()]);
       })();`,
      { before: `ulimit -v ${room}` },
    ),
  ).toEqual([['ENOMEM', expect.stringMatching(/^(ENOMEM|ok)$/), 0, []]]);
});

// In a cgroup the kernel kills whoever takes too much: that is its end, not ours. What must be true is that memory which
// is given back makes room again.
test('in a cgroup of 192 MiB what is given back can be taken again, many times', async (context) => {
  const cgroup = ownCgroup();
  if (cgroup === undefined) return context.skip('no cgroup with a memory limit can be made here');
  onTestFinished(() => rmdirSync(cgroup));
  writeFileSync(`${cgroup}/${limitFile(cgroup)}`, String(192 << 20));
  const [rounds] = await said(
    `let rounds = 0;
     for (; rounds < 40; rounds++) {
       const addr = anonymous(64 << 20), block = libc.malloc(32 << 20);
       new Uint8Array(libc.view(addr, 64 << 20)).fill(1), new Uint8Array(libc.view(block, 32 << 20)).fill(1);
       libc.munmap(addr, 64 << 20), libc.free(block);
     }
     say(rounds);`,
    { before: `echo $$ > ${cgroup}/cgroup.procs` },
  );
  expect(rounds).toBe(40);
});

function limitFile(cgroup: string): string {
  return cgroup.includes('/memory/') ? 'memory.limit_in_bytes' : 'memory.max';
}

function ownCgroup(): string | undefined {
  if (!isRoot) return undefined;
  for (const root of ['/sys/fs/cgroup/memory', '/sys/fs/cgroup']) {
    const path = `${root}/memprobe-test-${process.pid}`;
    try {
      mkdirSync(path);
      readFileSync(`${path}/${limitFile(path)}`);
      return path;
    } catch {
      try {
        rmdirSync(path);
      } catch {
        // not made
      }
    }
  }
  return undefined;
}
