import { execFileSync } from 'node:child_process';
import koffi from 'koffi';
import { expect, test } from 'vitest';
import { getpagesize } from '../../lib/libc/index.js';

test('getpagesize is what getconf and the C function itself say', () => {
  expect(getpagesize()).toBe(Number(execFileSync('getconf', ['PAGESIZE'])));
  expect(getpagesize()).toBe(koffi.load(null).func('int getpagesize(void)')());
});
