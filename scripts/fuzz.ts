/**
 * npm run fuzz -- [--calls N] [--seed S] [--jobs 2] [--node PATH]: hostile calls of every safe export, in children. A death is shown with
 * the steps that lead to it. Ends with 1 if there was one. The last line: N calls, M outcomes, D deaths, seed S
 *   npm run fuzz -- --seed S --sequence N [--debug hooks|mcheck]    one sequence of it once more
 *   npm run fuzz -- --calls N --outcomes                            says what they were, too
 */
import { parseArgs } from 'node:util';
import { campaign, type Death, replay } from '../test/fuzz/campaign.js';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '1000000' },
    seed: { type: 'string' },
    node: { type: 'string', default: process.execPath },
    sequence: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    debug: { type: 'string', default: 'none' },
    outcomes: { type: 'boolean', default: false },
  },
});

function natural(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  console.error(`fuzz: --${name} must be a natural number, and is '${text}'`);
  process.exit(2);
}

const seed = natural('seed', values.seed ?? String(Date.now() % 2 ** 31));

function tell({ sequence, steps, alone, how, words, debug }: Death): void {
  console.log(
    `death of sequence ${sequence}: ${how}${alone ? '' : ', only after others'}${debug === 'none' ? '' : `, --debug ${debug}`}`,
  );
  for (const step of steps) console.log(`  ${step}`);
  for (const line of words.split('\n').filter(Boolean).slice(0, 12)) console.log(`    | ${line}`);
  console.log(
    `  again: npm run fuzz -- --seed ${seed} --sequence ${sequence}${debug === 'none' ? '' : ` --debug ${debug}`}`,
  );
}

const debug = values.debug === 'hooks' || values.debug === 'mcheck' ? values.debug : 'none';

async function once(sequence: number): Promise<number> {
  const death = await replay(seed, sequence, { node: values.node, debug });
  if (death) tell(death);
  else console.log(`sequence ${sequence} of seed ${seed}: no death`);
  return death ? 1 : 0;
}

async function all(): Promise<number> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const started = Date.now();
  const result = await campaign({
    seed,
    calls: natural('calls', values.calls),
    node: values.node,
    jobs: Math.max(1, natural('jobs', values.jobs)),
    signal: stop.signal,
    died: tell,
    progress: (calls, outcomes, deaths) =>
      console.error(
        `${calls} calls, ${outcomes} outcomes, ${deaths} deaths, ${Math.round((Date.now() - started) / 1000)} s`,
      ),
  });
  if (values.outcomes) for (const outcome of [...result.outcomes].sort()) console.log(outcome);
  console.log(
    `${result.calls} calls, ${result.outcomes.size} outcomes, ${result.deaths.length} deaths, seed ${seed}`,
  );
  if (stop.signal.aborted) return 130;
  return result.deaths.length > 0 ? 1 : 0;
}

process.exitCode =
  values.sequence === undefined ? await all() : await once(natural('sequence', values.sequence));
