/**
 * Every call, where it succeeds and where it fails, over and over. `npm run test:leaks` makes 100,000 rounds of each and allows
 * 256 KiB; a run of the whole suite makes 500 and allows as much less of what malloc counts exactly.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { native } from '../lib/native.js';
import { cases } from './leak/cases.js';
import { cleanUp } from './leak/objects.js';

const rounds = Number(process.env.MEMPROBE_LEAK_ROUNDS ?? 500);
const LIMIT = 256 * 1024;
/** A leak grows by something in each round, of which malloc's own figure misses nothing. */
const MALLOC_LIMIT = Math.min(LIMIT, 16 * rounds);
const program = fileURLToPath(new URL('leak/program.ts', import.meta.url));

afterAll(cleanUp);

/** What lasts, or needs a process of its own: their own tests look at it. */
const LEFT_OUT = /^(mlockall|munlockall|mtrace|muntrace|mcheck.*|malloc_get_state|malloc_stats)$/;

test('every call of the tables has a case', () => {
  const names = native
    .describe()
    .filter(({ header }) => header !== undefined)
    .map(({ name }) => name);
  const covered = [...cases.keys()];
  const missing = names.filter(
    (name) => !LEFT_OUT.test(name) && !covered.some((each) => each.split(' ').includes(name)),
  );
  expect(missing).toEqual([]);
  expect(covered.length).toBeGreaterThan(200);
});

test(
  `no call leaks in ${rounds} rounds, neither where it succeeds nor where it fails`,
  async () => {
    const args = [
      '--expose-gc',
      '--no-warnings',
      '--import',
      import.meta.resolve('tsx'),
      program,
      `${rounds}`,
      `${LIMIT}`,
      `${MALLOC_LIMIT}`,
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 });
    const grown = stdout
      .split('\n')
      .filter(Boolean)
      .map((line): unknown[] => JSON.parse(line));
    expect(grown.length).toBe(cases.size);
    expect(grown.filter(([, rss, malloc]) => Number(rss) > LIMIT || Number(malloc) > MALLOC_LIMIT)).toEqual(
      [],
    );
  },
  600_000 + 200 * rounds,
);
