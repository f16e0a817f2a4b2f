// The set-up of a fresh clone: `npm start` and `npm test` run it first, `npm run bootstrap` runs it alone. Each step is
// skipped when nothing that it depends on has changed, and needs nothing but Node: it runs before there are dependencies.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

const say = (text) => console.error(`bootstrap: ${text}`);

function fail(text) {
  say(text);
  process.exit(1);
}

/** Runs a command; its output is shown only when it fails. */
function run(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error === undefined && status === 0) return true;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  return false;
}

const has = (command) => spawnSync('sh', ['-c', `command -v "$1"`, 'sh', command]).status === 0;

function files(path) {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** One digest of the contents of these files and folders, and of the Node that uses them. */
function digest(paths) {
  const hash = createHash('sha256').update(process.version + process.arch);
  for (const file of paths.flatMap((path) => (path.endsWith('/') ? files(path) : [path])).sort()) {
    hash.update(file).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** Does `work` unless it has been done for exactly these inputs and its product is still there. */
function step(name, { inputs, product, why, work }) {
  const stamp = join('build', `${name}.stamp`);
  const wanted = digest(inputs);
  if (existsSync(product) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say(why);
  if (!work()) fail(`${name} failed; what it printed stands above`);
  mkdirSync('build', { recursive: true });
  writeFileSync(stamp, wanted);
}

function checkTools() {
  if (Number(process.versions.node.split('.')[0]) < 20)
    fail(`Node 20 or later is needed, this is ${process.version}`);
  const missing = ['make', 'g++', 'python3'].filter((tool) => !has(tool));
  if (missing.length > 0) {
    fail(
      `${missing.join(', ')} missing, needed to build the addon. On Debian or Ubuntu:\n  apt-get install make g++ python3`,
    );
  }
}

const NUMA_H = '/usr/include/numa.h';

/** libnuma is optional: without it everything else works. */
function installLibnuma() {
  if (existsSync(NUMA_H)) return;
  const command = ['apt-get', 'install', '-y', '--no-install-recommends', 'libnuma-dev'];
  const asRoot = process.getuid?.() === 0 && has('apt-get');
  if (asRoot) {
    say('installing libnuma-dev, for the NUMA calls');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    if (
      run(command[0], command.slice(1), { env }) ||
      (run('apt-get', ['update'], { env }) && run(command[0], command.slice(1), { env }))
    ) {
      return;
    }
  }
  say(
    `libnuma-dev is missing and can't be installed here${asRoot ? '' : ' (not root)'}; everything but the NUMA calls works without.`,
  );
  say(`  to have them: sudo ${command.join(' ')}`);
}

function buildAddon() {
  if (process.platform !== 'linux') return say('not Linux: the native calls are left out, the rest works');
  checkTools();
  installLibnuma();
  step('native', {
    inputs: ['binding.gyp', 'package-lock.json', 'native/', ...(existsSync(NUMA_H) ? [NUMA_H] : [])],
    product: 'build/Release/memprobe.node',
    why: 'building the addon (about a minute the first time)',
    work: () => run('npm', ['run', 'build:native']),
  });
}

step('dependencies', {
  inputs: ['package.json', 'package-lock.json'],
  product: 'node_modules/.package-lock.json',
  why: 'installing the dependencies of package-lock.json',
  work: () => run('npm', ['ci', '--ignore-scripts']),
});
buildAddon();
step('typescript', {
  inputs: ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'lib/'],
  product: 'dist/index.js',
  why: 'compiling TypeScript',
  work: () => run('npm', ['run', 'build:ts']),
});
