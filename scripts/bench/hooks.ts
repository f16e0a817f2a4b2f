/** What malloc debugging and the hooks cost: nanoseconds for a pair of malloc and free, from JavaScript. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { mallocDebugEnvironment } from '../../lib/malloc_debug.js';

const WORK = `
import { free, hooks, malloc } from ${JSON.stringify(new URL('../../dist/libc/index.js', import.meta.url).href)};
const pairs = 1_000_000;
const once = () => {
  const start = process.hrtime.bigint();
  for (let i = 0; i < pairs; i++) free(malloc(64));
  return Number(process.hrtime.bigint() - start) / pairs;
};
const sample = process.argv[1];
if (sample !== undefined) hooks.start({ sample: Number(sample) });
once();
console.log([once(), once(), once(), once(), once()].sort((a, b) => a - b)[2].toFixed(1));
`;

function measure(name: string, env: NodeJS.ProcessEnv, ...sample: string[]): void {
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', WORK, ...sample], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  console.log(`${name.padEnd(34)} ${stdout.trim().padStart(8)} ns`);
}

const debug = mallocDebugEnvironment();
measure('plain', process.env);
measure('libc_malloc_debug', debug);
measure('hooks, counting', debug, '0');
measure('hooks, every 1,000th sampled', debug, '1000');
measure('hooks, every 10th sampled', debug, '10');
measure('hooks, all sampled', debug, '1');
measure('mcheck', mallocDebugEnvironment({ mcheck: true }));
