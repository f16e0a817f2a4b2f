// Builds the guard's own unit tests (test/native, without Node) and runs them.
//   node scripts/guard-test.mjs                            plainly
//   node scripts/guard-test.mjs --sanitize thread          with a sanitizer of the compiler's
//   node scripts/guard-test.mjs -- valgrind -q …           under another program
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const { values, positionals: wrapper } = parseArgs({
  options: { sanitize: { type: 'string' } },
  allowPositionals: true,
});

const filesOf = (directory) => readdirSync(directory).map((name) => join(directory, name));
const inputs = ['test/native', 'native/guard', 'native/bind'].flatMap(filesOf);
// books.cc is the guard's window to JavaScript: nothing to be seen through it here.
const sources = inputs.filter(
  (file) => /(native\/guard|test\/native)\/.*\.cc$/.test(file) && !/books\.cc$/.test(file),
);
const directory = join('build', 'guard-test', values.sanitize ?? 'plain');
const program = join(directory, 'guard_test');

function build() {
  const headers = createRequire(import.meta.url)('node-api-headers').include_dir;
  const sanitize =
    values.sanitize === undefined ? [] : [`-fsanitize=${values.sanitize}`, '-fno-sanitize-recover=undefined'];
  const flags = ['-std=c++20', '-g', '-Wall', '-Wextra', '-Wconversion', '-DNAPI_VERSION=9', '-D_GNU_SOURCE'];
  // What the tests don't reach of Node-API stays unresolved.
  const link = ['-pthread', '-ldl', '-Wl,--unresolved-symbols=ignore-all'];
  const [compiler, ...words] = (process.env.CXX ?? 'g++').split(' ');
  mkdirSync(directory, { recursive: true });
  const objects = sources.map((source) => {
    const object = join(directory, `${source.replaceAll('/', '_')}.o`);
    run(compiler, [...words, ...flags, ...sanitize, `-I${headers}`, '-c', source, '-o', object]);
    return object;
  });
  run(compiler, [...words, ...sanitize, ...objects, ...link, '-o', program]);
}

function run(command, args) {
  const { status, signal, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? (signal === null ? 1 : 128));
}

const modified = (file) => statSync(file).mtimeMs;
const isFresh = () => existsSync(program) && inputs.every((file) => modified(file) < modified(program));

if (!isFresh()) build();
const [command, ...args] = [...wrapper, program];
run(command, args);
