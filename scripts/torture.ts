/**
 * npm run torture -- [--kills 1000] [--seed 1]: a process works on a heap in a file and is killed, again and again, by SIGKILL: half
 * of the times from outside at a random moment, half of them by itself between two stores of an operation. After each
 * the heap is attached, checked, and compared with the journal of what was acknowledged. The last line says how it went.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { torture } from '../test/heap/torture.js';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
});
const [kills, seed] = [Number(values.kills), Number(values.seed)];
if (![kills, seed].every((value) => Number.isInteger(value) && value > 0 && value < 1e7)) {
  console.error('torture: --kills and --seed must be whole numbers from 1 on');
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), 'memprobe-torture-'));
let stopped = false;
process.once('SIGINT', () => (stopped = true));
try {
  const result = await torture(directory, kills, seed, (done, { broken, lost, operations }) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${kills} kills, ${operations} operations `);
    else if (done % 100 === 0) console.error(`${done} of ${kills} kills, ${operations} operations`);
    return !stopped && broken + lost < 10;
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  for (const each of result.complaints) console.log(each);
  console.log(
    `${result.operations} operations; killed inside an operation: ${result.inside}; repairs: ${result.repairs}; ` +
      `slowest repair: ${result.slowest.toFixed(1)} ms`,
  );
  console.log(`${result.kills} kills: ${result.broken} broken, ${result.lost} lost`);
  process.exitCode = result.broken + result.lost === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true });
}
