/** The machine's kernel: the distribution's own, unpacked from its package and never installed. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { has, lines, run, say } from './command.js';
import { apt } from './tools.js';

export interface Kernel {
  /** What qemu boots. */
  readonly image: string;
  /** Swap on zram, in the order in which they load; what the kernel has built in is not among them. */
  readonly modules: readonly string[];
}

const MODULES = ['zsmalloc', 'lz4_compress', 'lz4', 'zram'];
const XZ = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

/** Downloads and unpacks it, unless that has been done for the kernel of today's package lists. */
export function prepareKernel(cache: string): Kernel {
  const name = packageName();
  const directory = join(cache, name);
  if (!existsSync(directory)) unpack(name, cache, directory);
  const modules = MODULES.map((module) => join(directory, `${module}.ko`)).filter((path) => existsSync(path));
  return { image: join(directory, 'kernel'), modules };
}

function packageName(): string {
  if (!has('apt-get')) {
    throw new Error(
      "the NUMA machine takes its kernel from Debian's linux-image-amd64, and there is no apt-get here",
    );
  }
  const find = () =>
    /Depends: (linux-image-\S+)/.exec(
      String(run('apt-cache', ['depends', 'linux-image-amd64'], { anyStatus: true })),
    );
  const found = find() ?? (apt(['update']), find());
  if (found?.[1] === undefined) {
    throw new Error(
      "apt-cache knows no linux-image-amd64, Debian's kernel package: the NUMA machine has no kernel",
    );
  }
  return found[1];
}

/** In a directory of its own that takes its name when it is complete. */
function unpack(name: string, cache: string, directory: string): void {
  say(`downloading ${name} (about 70 MB) for its kernel; it is unpacked, not installed`);
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'unpacking-'));
  try {
    apt(['download', name], work);
    const archive = readdirSync(work).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download ${name} left no package`);
    const tar = run('dpkg-deb', ['--fsys-tarfile', join(work, archive)]);
    rmSync(join(work, archive));
    writeFileSync(join(work, 'kernel'), bare(extract(tar, './boot/vmlinuz-*')));
    for (const path of lines(run('tar', ['-t'], { input: tar }))) unpackModule(tar, path, work);
    renameSync(work, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const extract = (tar: Uint8Array, path: string): Buffer =>
  run('tar', ['-xO', '--wildcards', path], { input: tar });

/** Newer packages compress them. */
function unpackModule(tar: Uint8Array, path: string, directory: string): void {
  const [, name = '', suffix] = /([^/]+)\.ko(\.xz)?$/.exec(basename(path)) ?? [];
  if (!MODULES.includes(name)) return;
  const bytes = extract(tar, path);
  writeFileSync(
    join(directory, `${name}.ko`),
    suffix === undefined ? bytes : run('xz', ['-dc'], { input: bytes }),
  );
}

/**
 * The kernel proper out of its self-extracting image, which saves the emulator seconds at each boot. Where it is packed
 * otherwise than with xz the image itself will do. See the kernel's Documentation/x86/boot.rst for the offsets.
 */
function bare(image: Buffer): Buffer {
  const start = ((image[0x1f1] ?? 0) + 1) * 512 + image.readUInt32LE(0x248);
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c));
  if (!payload.subarray(0, XZ.length).equals(XZ)) return image;
  // Four bytes of length follow the xz stream, of which xz complains.
  return run('xz', ['-dc'], { input: payload, anyStatus: true });
}
