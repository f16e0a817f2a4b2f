/** The programs that the machine is built and booted with, installed where they are missing. */
import process from 'node:process';
import { has, run, say } from './command.js';

interface Tool {
  readonly command: string;
  readonly package: string;
  readonly why: string;
}

const TOOLS: readonly Tool[] = [
  { command: 'qemu-system-x86_64', package: 'qemu-system-x86', why: 'emulates the machine' },
  { command: 'numactl', package: 'numactl', why: 'the second witness inside, with numastat' },
  { command: 'busybox', package: 'busybox-static', why: "the machine's shell" },
  { command: 'cpio', package: 'cpio', why: "packs the machine's files" },
  { command: 'xz', package: 'xz-utils', why: 'unpacks the kernel' },
  { command: 'strip', package: 'binutils', why: 'makes Node smaller for the machine' },
  { command: 'setpriv', package: 'util-linux', why: 'ends the machine when the test run is killed' },
];

const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };

/** Runs apt-get; once more after an update where the lists are missing or old. */
export function apt(args: readonly string[], cwd = process.cwd()): void {
  try {
    run('apt-get', args, { env: environment, cwd });
  } catch (first) {
    if (process.getuid?.() !== 0) throw first;
    run('apt-get', ['update'], { env: environment });
    run('apt-get', args, { env: environment, cwd });
  }
}

/** Throws, with what to type, where something is missing and can't be installed from here. */
export function installTools(): void {
  const missing = TOOLS.filter(({ command }) => !has(command));
  if (missing.length === 0) return;
  const packages = missing.map((tool) => tool.package);
  const command = `apt-get install --no-install-recommends ${packages.join(' ')}`;
  const wanted = missing.map((tool) => `${tool.package} (${tool.why})`).join(', ');
  if (process.getuid?.() !== 0 || !has('apt-get')) {
    throw new Error(`the NUMA machine needs ${wanted}. On Debian or Ubuntu:\n  sudo ${command}`);
  }
  say(`installing ${wanted}`);
  apt(['install', '-y', '--no-install-recommends', ...packages]);
}
