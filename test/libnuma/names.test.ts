/** Every name of numa.h has its row in the README, and every row says what it is. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import * as libnuma from '../../lib/libnuma/index.js';
import { loadLibnuma } from '../../lib/native.js';
import { STAND_INS } from '../../scripts/libnuma-names.js';
import { describeLibnuma, LIBNUMA } from './helpers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const HEADER = '/usr/include/numa.h';

/** Macros, functions, variables and types, without comments. */
function names(): string[] {
  const text = readFileSync(HEADER, 'latin1').replace(/\/\*.*?\*\//gs, '');
  const macros = [...text.matchAll(/^#define (\w+) /gm)].map(([, name]) => name);
  const plain = execFileSync('cc', ['-E', '-P', '-x', 'c', '-'], {
    input: text.replace(/^#include.*/gm, ''),
    encoding: 'utf8',
  });
  const functions = [...plain.matchAll(/(\w+)\s*\([^()]*\)\s*[;{]/g)].map(([, name]) => name);
  const variables = [...plain.matchAll(/extern .*?(\w+);/g)].map(([, name]) => name);
  const types = [...plain.matchAll(/}\s*(\w+);|struct (\w+) \{/g)].map(([, a, b]) => a ?? b);
  const all = [...macros, ...functions, ...variables, ...types].filter((name) => name !== undefined);
  return [...new Set(all)].filter((name) => !/^(_NUMA_H|if|while|sizeof|return)$/.test(name)).sort();
}

const [, rest = ''] = readFileSync(`${root}README.md`, 'utf8').split('<!-- libnuma -->\n');
const [table = ''] = rest.split('<!-- /libnuma -->');
const rows = table
  .split('\n')
  .slice(2)
  .filter(Boolean)
  .map((line) => line.split('|').map((cell) => cell.trim()));

describeLibnuma('the names of numa.h', () => {
  test.runIf(existsSync(HEADER))('all have a row, and no row is empty', () => {
    const told = new Map(rows.map(([, name, here]) => [name, here]));
    expect(names().length).toBeGreaterThan(100);
    for (const name of names()) expect(told.get(name), name).toMatch(/\w{4}/);
    for (const [name, here] of told) expect(here, name).not.toBe('');
  });

  test('that are ours are exported, by memprobe/libnuma, with the name of C’s', () => {
    const numa = loadLibnuma();
    const ours = numa.describe().map(({ name }) => name);
    for (const name of ours) expect(Reflect.get(Object(Reflect.get(libnuma, name)), 'name')).toBe(name);
    for (const name of [...Object.keys(numa.masks), ...Object.keys(numa.constants)])
      expect(libnuma).toHaveProperty(name);
    expect(rows.map(([, name]) => name).sort()).toEqual(
      [...ours, ...Object.keys(numa.masks), ...Object.keys(numa.constants), ...Object.keys(STAND_INS)].sort(),
    );
    const others = Object.keys(libnuma).filter((name) => !rows.some(([, told]) => told === name));
    expect(others.sort()).toEqual(['Bitmask', 'NULL']);
  });

  test('whose functions the library exports are all bound', () => {
    const library = execFileSync('ldd', [LIBNUMA], { encoding: 'utf8' });
    const path = /libnuma\.so\.1 => (\S+)/.exec(library)?.[1] ?? '';
    const exported = [
      ...execFileSync('nm', ['-D', '--defined-only', path], { encoding: 'utf8' }).matchAll(
        / [A-Z] ((?:numa|copy)_\w+)@@/g,
      ),
    ];
    const told = rows.map(([, name]) => name);
    expect(exported.length).toBeGreaterThan(80);
    expect(exported.map(([, name]) => name).filter((name) => !told.includes(name))).toEqual([]);
  });
});
