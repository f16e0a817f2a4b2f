/** Workers that are terminated in the midst of a call of the addons: they end, and nobody else does. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addonPath } from '../lib/native.js';
import { NODES, said } from './helpers/child.js';

const LIBNUMA = join(dirname(addonPath ?? ''), 'memprobe_numa.so');

/** Loads an addon again and again; each time all its functions are made anew. */
const loading = (path: string) => `
  for (;;) {
    const module = { exports: {} };
    process.dlopen(module, ${JSON.stringify(path)});
    module.exports.describe();
  }`;

const addons: Record<string, string> = { memprobe: addonPath ?? '' };
if (existsSync(LIBNUMA)) addons['memprobe/libnuma'] = LIBNUMA;

describe.each(NODES)('on %s', (node) => {
  test.each(Object.entries(addons))('while %s loads', async (_, path) => {
    const workers = `
      require('node:worker_threads').parentPort.postMessage('runs');
      process.dlopen({ exports: {} }, process.env.ADDON);
      ${loading(path)}`;
    expect(
      await said(
        `const { Worker } = require('node:worker_threads');
         const { once } = require('node:events');
         (async () => {
           for (let i = 0; i < 40; i++) {
             const worker = new Worker(${JSON.stringify(workers)}, { eval: true });
             await once(worker, 'message');
             const until = performance.now() + i / 4;
             while (performance.now() < until);
             await worker.terminate();
           }
           say('alive');
         })();`,
        { node },
      ),
    ).toEqual(['alive']);
  });
});
