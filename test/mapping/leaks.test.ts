/** What was forgotten: its memory goes by itself, and a trace says where it was made. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a module with Mapping at hand, and returns what it prints on both outputs. */
function printed(program: string): string {
  const prelude = `
    import { readFileSync } from 'node:fs';
    import { Mapping } from '${root}lib/mapping/index.ts';
    const mapped = () => readFileSync('/proc/self/maps', 'latin1').split('memfd:forgotten').length - 1;
    const collected = async (done) => {
      for (let i = 0; i < 300 && !done(); i++) { gc(); await new Promise((next) => setTimeout(next, 10)); }
      return done();
    };`;
  const args = ['--expose-gc', '--import', 'tsx', '--input-type=module', '-e', prelude + program];
  return execFileSync('sh', ['-c', 'exec "$@" 2>&1', 'sh', process.execPath, ...args], {
    cwd: root,
    encoding: 'utf8',
  });
}

test('a forgotten mapping is unmapped, but not as long as a view of it is in use', () => {
  const output = printed(`
    let bytes = (() => Mapping.shared('forgotten', 1 << 20).bytes)();
    const window = (() => Mapping.shared('forgotten', 1 << 20).view(4096, 10))();
    const before = mapped();
    for (let i = 0; i < 5; i++) { gc(); await new Promise((next) => setTimeout(next, 10)); }
    bytes[5] = 5;
    console.log(before, mapped(), bytes[5]);
    bytes = undefined;
    console.log(await collected(() => mapped() === 1), window.length);`);
  expect(output).toBe('2 2 5\ntrue 10\n');
});

test('without being asked nothing is said; traceLeaks and { trace } name the place', () => {
  const output = printed(`
    let warned = 0;
    process.on('warning', () => warned++);
    function hereItIs(options) { Mapping.shared('forgotten', 4096, options); }
    hereItIs();
    console.log(await collected(() => mapped() === 0));
    hereItIs({ trace: true });
    console.log(await collected(() => mapped() === 0));
    Mapping.traceLeaks = true;
    Mapping.anonymous(5000).close();
    (function andThere() { Mapping.anonymous(5000); })();
    await collected(() => warned >= 2);
    for (let i = 0; i < 20; i++) { gc(); await new Promise((next) => setTimeout(next, 10)); } // would there be more?`);
  expect(output.match(/MappingLeakWarning/g)).toHaveLength(2);
  expect(output).toMatch(/^true\n/);
  expect(output).toMatch(/shared forgotten of 4096 bytes, made\n +at hereItIs/);
  expect(output).toMatch(/anonymous of 5000 bytes, made\n +at andThere/);
});

test('a view that was moved away keeps a closed mapping’s memory until it is gone', () => {
  const output = printed(`
    const mapping = Mapping.shared('forgotten', 4096);
    let { buffer } = mapping;
    let moved = buffer.transfer?.() ?? structuredClone(buffer, { transfer: [buffer] }); // the latter only Node 20 does
    new Uint8Array(moved)[0] = 5;
    mapping.close();
    new Uint8Array(moved)[1] = 6;
    console.log(mapped(), String(new Uint8Array(moved, 0, 2)));
    buffer = moved = undefined;
    console.log(await collected(() => mapped() === 0));`);
  expect(output).toMatch(/^(1 5,6|0 5,6)\ntrue\n$/); // Node 20 copies what it moves
});
