/** What `memprobe VERB` loads. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { memprobe } from '../helpers/command.js';

const VERBS = ['explain', 'maps', 'diff', 'lab', 'run', 'leaks'];

/** The verbs' files among those that Node loaded: its coverage report names every one. */
async function verbsLoadedBy(...args: string[]): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
  try {
    const { code } = await memprobe(args, { env: { NODE_V8_COVERAGE: directory } });
    expect(code).toBe(0);
    const reports = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
    const results: { url: string }[] = reports.flatMap((text) => JSON.parse(text).result);
    const loaded = results
      .filter(({ url }) => url.includes('/dist/cli/'))
      .map(({ url }) => basename(url, '.js'));
    return VERBS.filter((verb) => loaded.includes(verb));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test.each(['maps', 'diff', 'lab', 'run'])('%s loads no other verb', async (verb) => {
  expect(await verbsLoadedBy(verb, '--help')).toEqual([verb]);
});

test('--help knows all of them', async () => {
  expect(await verbsLoadedBy('--help')).toEqual(VERBS);
});
