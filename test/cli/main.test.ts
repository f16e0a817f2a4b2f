/** What `memprobe VERB` loads. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const VERBS = ['explain', 'maps', 'diff', 'lab', 'run', 'leaks'];

/** The verbs' files among those that Node loaded: its coverage report names every one. */
function verbsLoadedBy(...args: string[]): string[] {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
  try {
    const { status } = spawnSync(process.execPath, [CLI, ...args], {
      env: { ...process.env, NODE_V8_COVERAGE: directory },
    });
    expect(status).toBe(0);
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

test.each(['maps', 'diff', 'lab', 'run'])('%s loads no other verb', (verb) => {
  expect(verbsLoadedBy(verb, '--help')).toEqual([verb]);
});

test('--help knows all of them', () => {
  expect(verbsLoadedBy('--help')).toEqual(VERBS);
});
