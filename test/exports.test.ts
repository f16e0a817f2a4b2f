/** The package's entries, as package.json lists them and as programs take them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { collectText } from './helpers/command.js';

const cwd = fileURLToPath(new URL('..', import.meta.url));
const manifest: { exports: Record<string, unknown> } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);
const entries = Object.keys(manifest.exports).map((path) => path.replace('.', 'memprobe'));

// Node 20.19 and 22.12 brought that.
const canRequire = process.features.require_module === true;

describe.skipIf(!canRequire)(`every entry can be required (${process.version} can: ${canRequire})`, () => {
  test.each(entries)('%s', async (entry) => {
    const program = `require(${JSON.stringify(entry)})`;
    const { code, stderr } = await collectText(process.execPath, ['-e', program], { cwd });
    expect([code, stderr.includes('Error')], stderr).toEqual([0, false]);
  });
});

describe('a strict TypeScript project that names no types can import every entry', () => {
  const project = mkdtempSync(join(tmpdir(), 'memprobe-project-'));
  afterAll(() => rmSync(project, { recursive: true }));
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(cwd, join(project, 'node_modules/memprobe'));
  // What `npm install --save-dev @types/node` brings.
  for (const name of ['@types', 'undici-types'])
    symlinkSync(join(cwd, 'node_modules', name), join(project, 'node_modules', name));

  test.each(entries.filter((entry) => !entry.endsWith('.json')))('%s', async (entry) => {
    const source = join(project, `${entry.replace('/', '-')}.mts`);
    writeFileSync(source, `export * from '${entry}';\n`);
    const flags = ['--ignoreConfig', '--strict', '--noEmit', '--module', 'nodenext', '--preserveSymlinks'];
    const { stdout } = await collectText(join(cwd, 'node_modules/.bin/tsc'), [...flags, source], {
      cwd: project,
    });
    expect(stdout).toBe('');
  });
});

test('memprobe/allocator can be bundled for a browser', async () => {
  const { outputFiles } = await build({
    stdin: { contents: "export { createAllocator, TsAllocator } from 'memprobe/allocator'", resolveDir: cwd },
    ...{ bundle: true, format: 'esm', platform: 'browser', write: false, logLevel: 'silent' },
  });
  expect(outputFiles[0]?.text).toContain('TsAllocator');
  expect(outputFiles[0]?.text).not.toContain('node:');
});
