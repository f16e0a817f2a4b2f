/** The machine's files: a large archive that seldom changes, and this package in a small one behind it. */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { lines, run, say } from './command.js';
import type { Kernel } from './kernel.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const init = fileURLToPath(new URL('init.sh', import.meta.url));

/** Where this package lies inside. */
const HOME = 'memprobe';

/** Packs both and returns the archive that qemu is given. */
export function prepareInitrd(cache: string, kernel: Kernel): string {
  const base = prepareBase(cache, kernel);
  const initrd = join(cache, 'initrd');
  copyFileSync(base, initrd);
  appendFileSync(initrd, packed(cache, stagePackage));
  return initrd;
}

function prepareBase(cache: string, kernel: Kernel): string {
  const programs = [process.execPath, which('numactl'), which('numastat')];
  const libraries = [...new Set([...programs, ...addons()].flatMap(librariesOf))];
  const sources = [...programs, which('busybox'), ...libraries, ...kernel.modules, init];
  const base = join(cache, `base-${fingerprint(sources)}.cpio`);
  if (existsSync(base)) return base;
  say('packing Node, numactl and their libraries for the machine');
  for (const old of readdirSync(cache)) if (old.startsWith('base-')) rmSync(join(cache, old));
  const bytes = packed(cache, (stage) => stageBase(stage, kernel, programs, libraries));
  writeFileSync(`${base}.new`, bytes);
  renameSync(`${base}.new`, base);
  return base;
}

function stageBase(stage: string, kernel: Kernel, programs: string[], libraries: string[]): void {
  put(init, join(stage, 'init'));
  put(which('busybox'), join(stage, 'bin/busybox'));
  for (const library of libraries) put(library, join(stage, library));
  for (const program of programs) put(program, join(stage, 'bin', basename(program)));
  run('strip', [join(stage, 'bin', basename(process.execPath))]);
  kernel.modules.forEach((module, i) => put(module, join(stage, 'modules', `${i}-${basename(module)}`)));
}

/** dist/ also under the name lib/, which is what the checks import. */
function stagePackage(stage: string): void {
  const home = join(stage, HOME);
  mkdirSync(join(home, 'build/Release'), { recursive: true });
  put(join(root, 'package.json'), join(home, 'package.json'));
  cpSync(join(root, 'dist'), join(home, 'dist'), { recursive: true });
  symlinkSync('dist', join(home, 'lib'));
  for (const addon of addons()) put(addon, join(home, 'build/Release', basename(addon)));
  run(join(root, 'node_modules/.bin/tsc'), ['-p', join(root, 'test/vm/tsconfig.json')]);
  for (const part of ['scripts', 'test'])
    cpSync(join(root, 'build/vm/compiled', part), join(home, part), { recursive: true });
  for (const path of runtimeDependencies()) cpSync(join(root, path), join(home, path), { recursive: true });
}

/** Of package-lock.json: what `npm install memprobe` would bring. */
function runtimeDependencies(): string[] {
  const listed = run('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: root });
  return lines(listed)
    .map((path) => path.slice(root.length))
    .filter((path) => path.startsWith('node_modules/'));
}

function addons(): string[] {
  const directory = join(root, 'build/Release');
  return readdirSync(directory)
    .filter((name) => /\.(node|so)$/.test(name))
    .map((name) => join(directory, name));
}

/** Everything below a private directory that `fill` fills, as the kernel unpacks it. */
function packed(cache: string, fill: (stage: string) => void): Buffer {
  const stage = mkdtempSync(join(cache, 'stage-'));
  try {
    fill(stage);
    const names = readdirSync(stage, { recursive: true, encoding: 'utf8' }).sort().join('\n');
    return run('cpio', ['--quiet', '-o', '-H', 'newc', '-R', '0:0'], { input: names, cwd: stage });
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function put(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

const which = (program: string): string =>
  lines(run('sh', ['-c', 'command -v "$1"', 'sh', program]))[0] ?? program;

/** ldd's lines are 'name => path (address)', and 'path (address)' for the loader. */
const librariesOf = (binary: string): string[] =>
  lines(run('ldd', [binary])).flatMap((line) => /(\/\S+) \(0x/.exec(line)?.[1] ?? []);

function fingerprint(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}
