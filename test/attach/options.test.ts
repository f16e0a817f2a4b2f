import { expect, test } from 'vitest';
import { inspectorAddress, readInspectorAddress } from '../../lib/attach/options.js';
import { IDLE, startNode } from './helpers.js';

test.each([
  ['node app.js', '127.0.0.1:9229'],
  ['node --inspect-port=0 app.js', '127.0.0.1:0'],
  ['node --inspect-port 9300 app.js', '127.0.0.1:9300'],
  ['node --debug-port=9301 app.js', '127.0.0.1:9301'],
  ['node --inspect app.js', '127.0.0.1:9229'],
  ['node --inspect=9302 app.js', '127.0.0.1:9302'],
  ['node --inspect-brk=0.0.0.0:9303 app.js', '0.0.0.0:9303'],
  ['node --inspect=[::1]:9304 app.js', '::1:9304'],
  ['node --inspect=localhost app.js', '127.0.0.1:9229'],
  ['node --inspect-port=9305 --inspect app.js', '127.0.0.1:9305'],
  ['node --inspect-port=1 --inspect-port=2 app.js', '127.0.0.1:2'],
  ['node -r ./hook.js --inspect-port=9306 app.js', '127.0.0.1:9306'],
  ['node app.js --inspect-port=1', '127.0.0.1:9229'],
  ['node --inspect-publish-uid=http app.js', '127.0.0.1:9229'],
])('%s has its inspector at %s', (line, expected) => {
  const { host, port } = inspectorAddress(line.split(' '), '');
  expect(`${host}:${port}`).toBe(expected);
});

test('the command line overrides NODE_OPTIONS', () => {
  expect(inspectorAddress(['node', 'app.js'], '--no-warnings --inspect-port=5').port).toBe(5);
  expect(inspectorAddress(['node', '--inspect-port=6', 'app.js'], '--inspect-port=5').port).toBe(6);
});

test('a live process tells its options, through NODE_OPTIONS too', async () => {
  await using plain = await startNode(IDLE, { args: ['--inspect-port=7000'] });
  await using variable = await startNode(IDLE, { args: [], env: { NODE_OPTIONS: '--inspect-port=8000' } });
  expect((await readInspectorAddress(plain.pid)).port).toBe(7000);
  expect((await readInspectorAddress(variable.pid)).port).toBe(8000);
});
