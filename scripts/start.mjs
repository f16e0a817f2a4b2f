// npm start: explains a live process that does not know of it, trims it, and shows what came back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const workload = spawn(process.execPath, [here('demo-workload.mjs')], { stdio: ['ignore', 'pipe', 'pipe'] });
workload.stderr.on('data', forward);
process.once('exit', () => workload.kill());
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

await ready(workload);
console.log(
  `A small Node service runs as process ${workload.pid}, after a burst of work. Where is its memory?\n`,
);
console.log(`$ memprobe explain --pid ${workload.pid} --attach --trim\n`);
const words = ['explain', '--pid', String(workload.pid), '--attach', '--trim', ...process.argv.slice(2)];
const command = spawn(process.execPath, [here('../dist/cli/main.js'), ...words], { stdio: 'inherit' });
const [code] = await once(command, 'exit');
workload.kill();
console.log('\nNow your own:  npx memprobe explain --pid PID   (from outside; --attach tells more)');
process.exitCode = code ?? 1;

async function ready(child) {
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => undefined)]);
  if (line?.[0] !== 'ready')
    throw new Error('The demo workload ended before it was ready; its messages are above.');
}

/** The inspector announces itself on the workload's standard error, which would only confuse here. */
function forward(chunk) {
  const text = String(chunk).replace(
    /^(Debugger|For help, see:|Starting inspector|Waiting for the debugger).*\n/gm,
    '',
  );
  process.stderr.write(text);
}
