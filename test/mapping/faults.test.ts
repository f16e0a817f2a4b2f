/** Files that are truncated under their mapping, filesystems that are full: zeroes and an error, no signal. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, webcrypto } from 'node:crypto';
import { ftruncateSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRaw } from 'node:zlib';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Mapping } from '../../lib/mapping/index.js';
import { rejected } from '../helpers/errors.js';
import { PAGE, file as temporary } from '../helpers/memory.js';
import { mappings } from '../helpers/witness.js';
import { code, owned } from './support.js';

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('a file that someone else truncates', () => {
  test.each(['read', 'write', 'private'] as const)(
    'reads as zeroes and faults its mapping: %s',
    async (access) => {
      const { fd, path } = temporary(3);
      const mapping = owned(Mapping.file(path, { access }));
      const { bytes } = mapping;
      ftruncateSync(fd, PAGE);
      expect(mapping.faulted).toBe(false);
      expect([bytes[0], bytes[PAGE], bytes[3 * PAGE - 1]]).toEqual([1, 0, 0]);
      expect(mapping.faulted).toBe(true);
      expect(code(() => mapping.bytes)).toBe('ERR_MEMPROBE_FAULTED');
      expect(code(() => mapping.read())).toBe('ERR_MEMPROBE_FAULTED');
      expect(await rejected(mapping.flushAsync())).toMatchObject({ code: 'ERR_MEMPROBE_FAULTED' });
      bytes.fill(9); // what still holds a view may go on: it harms nobody
      mapping.close();
      expect(bytes.length).toBe(0);
    },
  );

  test('reads as zeroes for native readers too, on this thread and on the pool’s', async () => {
    const expected = digest(new Uint8Array(64 * PAGE));
    const readers: ((bytes: Uint8Array) => Promise<unknown>)[] = [
      async (bytes) => expect(digest(bytes)).toBe(expected),
      async (bytes) =>
        expect(Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex')).toBe(expected),
      async (bytes) => {
        const packed = promisify(deflateRaw)(bytes);
        expect(await packed).toEqual(await promisify(deflateRaw)(new Uint8Array(64 * PAGE)));
      },
    ];
    for (const reader of readers) {
      const { fd, path } = temporary(64);
      const mapping = owned(Mapping.file(path, { access: 'write' }));
      const { bytes } = mapping;
      ftruncateSync(fd, 0);
      await reader(bytes);
      expect(mapping.faulted).toBe(true);
    }
  });

  // Two mappings for each page would end a process that reads some 33,000 pages of a large file.
  test('does not use up the process’s mappings, whichever pages are read', () => {
    const pages = 4000;
    const { fd, path } = temporary(pages);
    const mapping = owned(Mapping.file(path, { access: 'write' }));
    const { bytes } = mapping;
    ftruncateSync(fd, 10 * PAGE);
    const before = mappings().length;
    let sum = 0;
    for (let i = 10; i < pages; i += 2) sum += bytes[i * PAGE] ?? NaN;
    expect([sum, bytes[9 * PAGE], mapping.faulted]).toEqual([0, 10, true]);
    expect(mappings().length - before).toBeLessThan(1000);
  });

  test('is EFAULT for what copies, and no fault', () => {
    const { fd, path } = temporary(2);
    const mapping = owned(Mapping.file(path, { access: 'write' }));
    ftruncateSync(fd, 0);
    expect(code(() => mapping.read())).toBe('EFAULT');
    expect(mapping.faulted).toBe(false);
  });

  test('faults its mapping, and not its neighbour', () => {
    const one = temporary(1);
    const two = temporary(1);
    const mappings = [one, two].map(({ path }) => owned(Mapping.file(path, { access: 'write' })));
    const views = mappings.map(({ bytes }) => bytes);
    ftruncateSync(one.fd, 0);
    expect(views.map((bytes) => bytes[0])).toEqual([0, 1]);
    expect(mappings.map(({ faulted }) => faulted)).toEqual([true, false]);
  });
});

test('a full tmpfs faults the mapping of its file instead of killing Node', (context) => {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const inside = ['-m', 'sh', '-c'];
  const mount = `mount -t tmpfs -o size=256k,mode=700 memprobe '${directory}'`;
  const allowed = spawnSync('unshare', [...inside, mount], { stdio: 'ignore' }).status === 0;
  if (!allowed) return context.skip('mounting in a namespace of its own is not permitted here');
  const program = `
    import { Mapping } from '${fileURLToPath(new URL('../../lib/mapping/index.ts', import.meta.url))}';
    const mapping = Mapping.file('${directory}/file', { access: 'write', create: true, length: 1 << 20 });
    const { bytes } = mapping;
    bytes.fill(1);
    let code;
    try { mapping.flush(); } catch (error) { code = error.code; }
    console.log(JSON.stringify([mapping.faulted, code, bytes[0]]));
    mapping.close();`;
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', program];
  const output = execFileSync('unshare', [...inside, `${mount} && exec "$@"`, 'sh', ...node], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(JSON.parse(output)).toEqual([true, 'ERR_MEMPROBE_FAULTED', 1]);
});
