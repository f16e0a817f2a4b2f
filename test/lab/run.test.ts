import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Lab } from '../../lib/lab/bench.js';
import { LabError } from '../../lib/lab/errors.js';
import { findLab } from '../../lib/lab/labs.js';
import { type RunOptions, runLab } from '../../lib/lab/run.js';
import { ENTRY, FEW, runnable } from './reports.js';

const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
process.env.TMPDIR = directory;
afterAll(() => rmSync(directory, { recursive: true }));

async function failureOf(lab: Lab, options: RunOptions): Promise<unknown> {
  const failure: unknown = await runLab(lab, { entry: ENTRY, ...options }).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(readdirSync(directory)).toEqual([]);
  return failure;
}

const cow = findLab('cow');
const program = (text: string) => ['--import', `data:text/javascript,${encodeURIComponent(text)}`];

test('a lab runs in a process of its own that stands still when it is left alone', async () => {
  const found = await runLab(cow, { entry: ENTRY });
  expect(found.pid).not.toBe(process.pid);
  expect(() => process.kill(found.pid, 0)).toThrow('ESRCH');
  expect(Math.abs(found.drift)).toBeLessThanOrEqual(FEW);
  expect(readdirSync(directory)).toEqual([]);
});

test('what the environment would do to Node and to malloc does not reach the lab', async () => {
  process.env.NODE_OPTIONS = '--no-such-option';
  try {
    expect((await runLab(cow, { entry: ENTRY })).lab).toBe('cow');
  } finally {
    delete process.env.NODE_OPTIONS;
  }
});

test('a process that is killed is an error that names the signal', async () => {
  const failure = await failureOf(cow, { flags: program("process.kill(process.pid, 'SIGKILL')") });
  expect(failure).toBeInstanceOf(LabError);
  expect(String(failure)).toContain('killed by SIGKILL');
});

test('a process that ends early is an error that hands on what it said', async () => {
  const failure = await failureOf(cow, { flags: ['--no-such-option'] });
  expect(String(failure)).toMatch(/exit code 9[^]*bad option/);
});

test('an interrupted lab rejects with the reason, and leaves no process and no file', async () => {
  const signal = AbortSignal.timeout(150);
  const failure = await failureOf(cow, {
    signal,
    flags: program('await new Promise((r) => setTimeout(r, 60_000))'),
  });
  expect(failure).toBe(signal.reason);
});

test('every part of every lab ends with what it shows', async () => {
  for (const lab of runnable) {
    const { sections } = await runLab(lab, { entry: ENTRY });
    expect(sections.length).toBeGreaterThan(0);
    for (const { shows } of sections) expect(shows).toMatch(/\.$/);
    const ids = sections.flatMap(({ steps }) => steps.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
  }
});
