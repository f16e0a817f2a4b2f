/** Boots a machine under qemu, and hands on what it reports while it runs. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { lines } from './command.js';
import type { Machine } from './prepare.js';
import { nodeArguments, type Topology } from './topologies.js';

/** Emulation is slow, and the host may be busy. */
const TIMEOUT = 1_200_000;
const CONSOLE_LINES = 40;

/**
 * Each line that a program of test/vm/inside (`main`, without '.js') writes. Throws, with the end of the machine's console,
 * unless the program ends well; ends the machine when it hangs, and when the caller stops reading.
 */
export async function* boot(machine: Machine, topology: Topology, main: string): AsyncGenerator<string> {
  const log = join(machine.directory, `${topology.name}.console`);
  const qemu = start(machine, topology, main, log);
  const timer = setTimeout(() => qemu.kill('SIGKILL'), TIMEOUT);
  const ended = once(qemu, 'close');
  let status: unknown;
  try {
    for await (const line of createInterface({ input: qemu.stdout })) {
      status = /^\{"ended":(\d+)\}/.exec(line)?.[1];
      if (status === undefined) yield line.trim();
    }
    const [code, signal] = await ended;
    if (status === '0' && code === 0) return;
    const how =
      signal === 'SIGKILL' ? `was killed after ${TIMEOUT / 1000} s` : `ended with ${code ?? signal}`;
    throw new Error(
      `${main} on the machine '${topology.title}' ended with ${status ?? 'no status'}, and qemu ${how}. ` +
        `The end of its console (${log}):\n${lines(readFileSync(log)).slice(-CONSOLE_LINES).join('\n')}`,
    );
  } finally {
    clearTimeout(timer);
    qemu.kill('SIGKILL');
  }
}

/** setpriv: when this process is killed, the machine must not run on. */
function start(
  machine: Machine,
  topology: Topology,
  main: string,
  log: string,
): ChildProcessByStdio<null, Readable, null> {
  const append =
    'console=ttyS1 panic=-1 oops=panic quiet transparent_hugepage=madvise numa_balancing=disable ' +
    `MEMPROBE_MAIN=${main} MEMPROBE_TOPOLOGY=${topology.name} ${topology.append}`;
  const command = [
    ...['--pdeathsig', 'KILL', 'qemu-system-x86_64'],
    ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max'],
    ...nodeArguments(topology),
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-monitor', 'none', '-no-reboot'],
    ...['-chardev', 'stdio,id=reports,signal=off', '-serial', 'chardev:reports', '-serial', `file:${log}`],
    ...['-kernel', machine.kernel, '-initrd', machine.initrd, '-append', append],
  ];
  return spawn('setpriv', command, { stdio: ['ignore', 'pipe', 'inherit'] });
}
