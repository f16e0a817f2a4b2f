/** Files and offsets beyond 4 GiB, sparse: real memory for the pages that are touched alone. */
import { constants } from 'node:buffer';
import { readSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Mapping } from '../../lib/mapping/index.js';
import { PAGE, file as temporary } from '../helpers/memory.js';
import { code, owned } from './support.js';

const GIB = 2 ** 30;

test('a file of more than 4 GiB is read, written and viewed at its far end', async () => {
  const { fd, path } = temporary(0);
  const length = 5 * GIB + 123;
  const mapping = owned(Mapping.file(path, { access: 'write', length }));
  expect(mapping.length).toBe(length);
  mapping.write(length - 3, Uint8Array.of(1, 2, 3));
  const window = mapping.view(4 * GIB + 7, 2 * PAGE);
  window[0] = 77;
  expect([...(await mapping.readAsync(length - 3))]).toEqual([1, 2, 3]);
  mapping.flush(4 * GIB, PAGE);
  const bytes = new Uint8Array(1);
  readSync(fd, bytes, 0, 1, 4 * GIB + 7);
  expect(bytes[0]).toBe(77);
  if (length > constants.MAX_LENGTH) expect(code(() => mapping.buffer)).toBe('ERR_OUT_OF_RANGE');
  else expect(mapping.bytes[length - 1]).toBe(3);
});

test('a part that begins beyond 4 GiB is the file’s bytes there, and resizes to more than 4 GiB', () => {
  const { path } = temporary(0);
  const whole = owned(Mapping.file(path, { access: 'write', length: 10 * GIB }));
  whole.write(6 * GIB + 5, Uint8Array.of(55));
  const part = owned(Mapping.file(path, { access: 'read', offset: 6 * GIB, length: PAGE }));
  expect([part.bytes[5], part.offset]).toEqual([55, 6 * GIB]);
  const growing = owned(Mapping.file(path, { access: 'write', offset: 4 * GIB, length: PAGE }));
  growing.resize(5 * GIB);
  expect(growing.read(2 * GIB + 5, 1)[0]).toBe(55);
});
