import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import * as numa from '../../lib/libnuma/index.js';
import { expectRangeError, expectTypeError, thrown } from '../helpers/errors.js';
import { absentNode, describeLibnuma, nodesOnline, program } from './helpers.js';

const COUNTS =
  `numa_available numa_max_possible_node numa_num_possible_nodes numa_num_possible_cpus numa_max_node
  numa_num_configured_nodes numa_num_configured_cpus numa_num_task_cpus numa_num_task_nodes numa_num_thread_cpus
  numa_num_thread_nodes numa_pagesize numa_preferred numa_get_interleave_node`.split(/\s+/);

const MASKS = `numa_get_mems_allowed() numa_get_membind() numa_get_interleave_mask() numa_get_run_node_mask()
  numa_all_nodes_ptr numa_nodes_ptr numa_no_nodes_ptr numa_all_cpus_ptr numa_parse_nodestring("all")
  numa_parse_cpustring("!0") numa_parse_cpustring_all("0-1") numa_parse_nodestring("")`.split(/\s+/);

/** The same asked in C: a line for each, the numbers of a mask after its size. */
const SOURCE = `
#include <numa.h>
#include <stdio.h>
static void show(const char* name, struct bitmask* mask) {
  printf("%s", name);
  if (mask == NULL) { puts(" null"); return; }
  printf(" %lu", mask->size);
  for (unsigned i = 0; i < mask->size; i++) if (numa_bitmask_isbitset(mask, i)) printf(" %u", i);
  puts("");
}
int main(void) {
  ${COUNTS.map((name) => `printf("${name} %d\\n", ${name}());`).join('\n  ')}
  ${MASKS.map((name) => `show("${name.replaceAll('"', '\\"')}", ${name});`).join('\n  ')}
  for (int a = 0; a <= numa_max_node(); a++) {
    struct bitmask* cpus = numa_allocate_cpumask();
    if (numa_node_to_cpus(a, cpus) == 0) { printf("%d", a); show(" cpus", cpus); }
    printf("%d size %lld\\n", a, numa_node_size64(a, NULL));
    for (int b = 0; b <= numa_max_node() + 1; b++) printf("%d-%d distance %d\\n", a, b, numa_distance(a, b));
  }
  return 0;
}`;

function ask(expression: string): unknown {
  const [, name = '', argument] = /^(\w+)(?:\("?(.*?)"?\))?$/.exec(expression) ?? [];
  const value: unknown = Reflect.get(numa, name);
  return typeof value === 'function' ? value(argument) : value;
}

function shown(mask: unknown): string {
  if (mask instanceof numa.Bitmask) return [mask.size, ...mask].join(' ');
  return String(mask);
}

function answers(): string {
  const lines = [
    ...COUNTS.map((name) => `${name} ${ask(name + '()')}`),
    ...MASKS.map((expression) => `${expression} ${shown(ask(expression))}`),
  ];
  for (let a = 0; a <= numa.numa_max_node(); a++) {
    const online = nodesOnline().includes(a);
    if (online) lines.push(`${a} cpus ${shown(numa.numa_node_to_cpus(a))}`);
    lines.push(`${a} size ${online ? numa.numa_node_size64(a).size : -1}`);
    for (let b = 0; b <= numa.numa_max_node() + 1; b++)
      lines.push(`${a}-${b} distance ${numa.numa_distance(a, b)}`);
  }
  return lines.join('\n');
}

describeLibnuma('what the machine has', () => {
  test.runIf(existsSync('/usr/include/numa.h'))('is what a C program is told', () => {
    const directory = mkdtempSync(join(tmpdir(), 'memprobe-numa-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, 'ask.c'), SOURCE);
    execFileSync('cc', ['-o', join(directory, 'ask'), join(directory, 'ask.c'), '-lnuma']);
    expect(answers()).toBe(execFileSync(join(directory, 'ask'), { encoding: 'utf8' }).trim());
  });

  test('numa_node_size is what sysfs says, in bytes, as numbers or bigints', () => {
    const [node = 0] = nodesOnline();
    const text = readFileSync(`/sys/devices/system/node/node${node}/meminfo`, 'latin1');
    const total = Number(/MemTotal: +(\d+) kB/.exec(text)?.[1]) * 1024;
    const { size, free } = numa.numa_node_size(node);
    expect(size).toBe(total);
    expect(numa.numa_node_size64(node).size).toBe(BigInt(total));
    expect(free).toBeGreaterThan(0);
    expect(free).toBeLessThan(total);
    expect(typeof numa.numa_node_size64(node).free).toBe('bigint');
  });

  test('numa_node_of_cpu and numa_node_to_cpus agree', () => {
    for (const cpu of numa.numa_all_cpus_ptr) {
      expect([...numa.numa_node_to_cpus(numa.numa_node_of_cpu(cpu))]).toContain(cpu);
    }
    numa.numa_node_to_cpu_update();
    expect([...numa.numa_node_to_cpus(numa.numa_node_of_cpu(0))]).toContain(0);
  });

  test('numa_node_to_cpus fills a mask that is large enough, and returns it', () => {
    const [node = 0] = nodesOnline();
    const mask = new numa.Bitmask(numa.numa_num_possible_cpus() + 100);
    expect(numa.numa_node_to_cpus(node, mask)).toBe(mask);
    expect(mask.equals(numa.numa_node_to_cpus(node))).toBe(true);
    const small = new numa.Bitmask(numa.numa_num_possible_cpus() - 1);
    expect(thrown(() => numa.numa_node_to_cpus(node, small))).toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
      message: expect.stringContaining('"mask"'),
    });
    expectTypeError('mask', () => Reflect.apply(numa.numa_node_to_cpus, undefined, [node, []]));
  });

  test('nodes and cpus that are not there name the parameter', () => {
    for (const node of [absentNode(), -1, -2, 2 ** 31, Number.NaN, 1e300]) {
      expectRangeError('node', () => numa.numa_node_to_cpus(node));
      expectRangeError('node', () => numa.numa_node_size(node));
      expectRangeError('node', () => numa.numa_node_size64(node));
    }
    for (const cpu of [-1, numa.numa_num_configured_cpus(), 1e9])
      expectRangeError('cpu', () => numa.numa_node_of_cpu(cpu));
    expectTypeError('node', () => Reflect.apply(numa.numa_node_size, undefined, ['0']));
    expectTypeError('cpu', () => Reflect.apply(numa.numa_node_of_cpu, undefined, [0n]));
  });

  test('each node’s cpus are noted when libnuma is loaded, before two threads can ask at once', async () => {
    const node = nodesOnline()[0] ?? 0;
    const [noted, opened] = await program(
      `const fds = []; try { for (;;) fds.push(require('node:fs').openSync('/')); } catch {}
       say(String(numa.numa_node_to_cpus(${node}))); say(fds.length > 0);`,
      { before: 'ulimit -n 100' },
    );
    expect([noted, opened]).toEqual([String(numa.numa_node_to_cpus(node)), true]);
  });

  test('workers that ask at once all get the answer', async () => {
    const ask = `const { parentPort } = require('node:worker_threads'); require(process.env.ADDON);
      const second = { exports: {} }; process.dlopen(second, process.env.NUMA);
      const { libnuma: numa } = second.exports;
      const seen = new Set();
      for (let i = 0; i < 300; i++) { numa.numa_node_to_cpu_update();
        seen.add([numa.numa_node_to_cpus(0), numa.numa_node_of_cpu(0), numa.numa_distance(0, 0), numa.numa_get_run_node_mask()].join()); }
      parentPort.postMessage([...seen]);`;
    const told = await program(
      `for (let i = 0; i < 6; i++) new Worker(${JSON.stringify(ask)}, { eval: true }).on('message', say);`,
    );
    expect(told).toHaveLength(6);
    expect(new Set(told.map(String)).size).toBe(1);
  });
});
