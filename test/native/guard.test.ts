/** The guard's own unit tests, in C++ and without Node; valgrind and sanitizers run them too (npm run test:sanitize). */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { collectText } from '../helpers/command.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/guard-test.mjs', import.meta.url));

test('the guard’s books hold by themselves', { timeout: 300_000 }, async () => {
  const { code, stdout, stderr } = await collectText(process.execPath, [SCRIPT]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^ok - /m);
  expect(stdout).not.toMatch(/^not ok/m);
});
