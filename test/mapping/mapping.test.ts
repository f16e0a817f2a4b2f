/** Mapping in one thread: making, using, changing and ending it. */
import { fstatSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import { Mapping } from '../../lib/mapping/index.js';
import { said } from '../helpers/child.js';
import { expectRangeError, expectTypeError, rejected } from '../helpers/errors.js';
import { ANON, closing, PAGE, RW, file as temporary } from '../helpers/memory.js';
import { fifo, holdPool } from '../helpers/pool.js';
import { descriptors, mappingAt } from '../helpers/witness.js';
import { code, mapped, owned } from './support.js';

describe('Mapping.anonymous', () => {
  test('is zeroes that can be read, written and viewed', () => {
    const mapping = owned(Mapping.anonymous(10_000));
    expect([mapping.kind, mapping.length, mapping.fd, mapping.path]).toEqual([
      'anonymous',
      10_000,
      -1,
      undefined,
    ]);
    expect(mapping.read()).toEqual(new Uint8Array(10_000));
    mapping.write(9_998, Uint8Array.of(1, 2));
    expect([...mapping.bytes.subarray(-3)]).toEqual([0, 1, 2]);
    expect([...mapping.view(9_999)]).toEqual([2]);
    expect(mapping.bytes).toBe(mapping.bytes);
    expect(mapping.buffer.byteLength).toBe(10_000);
  });

  test('populate faults its pages in, and residency counts them', async () => {
    const whole = { total: 4 * PAGE, resident: 4 * PAGE };
    expect(owned(Mapping.anonymous(4 * PAGE, { populate: true })).residency()).toEqual(whole);
    const mapping = owned(Mapping.anonymous(4 * PAGE));
    mapping.write(PAGE, Uint8Array.of(1));
    expect(await mapping.residencyAsync()).toEqual({ total: 4 * PAGE, resident: PAGE });
    expect(mapping.residency(PAGE + 5, 1)).toEqual({ total: PAGE, resident: PAGE });
  });
});

describe('Mapping.file', () => {
  test('write reaches the file, private and read do not; read refuses write()', () => {
    const { path } = temporary(2);
    const write = owned(Mapping.file(path, { access: 'write' }));
    const priv = owned(Mapping.file(path, { access: 'private' }));
    const read = owned(Mapping.file(path, { access: 'read', offset: PAGE }));
    write.bytes[0] = 100;
    priv.write(1, Uint8Array.of(101));
    read.bytes[2] = 102; // a stray store: neither a signal nor in the file
    expect(code(() => read.write(0, Uint8Array.of(1)))).toBe('ERR_MEMPROBE_READ_ONLY');
    write.flush();
    expect([...readFileSync(path).subarray(0, 3)]).toEqual([100, 1, 1]);
    expect([...readFileSync(path).subarray(PAGE, PAGE + 3)]).toEqual([2, 2, 2]);
    expect([...read.read(0, 3), ...priv.read(0, 3)]).toEqual([2, 2, 102, 100, 101, 1]);
    expect([read.offset, read.length, read.access, read.path]).toEqual([PAGE, PAGE, 'read', path]);
  });

  test('create makes a file, length lets it grow, flushAsync writes it back', async () => {
    const path = `${temporary(1).path}-new`;
    const mapping = owned(Mapping.file(path, { access: 'write', create: true, length: 5000 }));
    expect([statSync(path).size, statSync(path).mode & 0o777]).toEqual([5000, 0o600]);
    await mapping.writeAsync(4000, Buffer.from('written'));
    await mapping.flushAsync(4000, 7);
    expect(readFileSync(path).subarray(4000, 4007).toString()).toBe('written');
    expect(Buffer.from(await mapping.readAsync(4000, 7)).toString()).toBe('written');
  });

  test('errors are the file’s own, and leave no descriptor and no mapping behind', () => {
    const { path } = temporary(1);
    const before = [descriptors(path), descriptors('/')];
    expect(code(() => Mapping.file(`${path}-missing`, { access: 'write' }))).toBe('ENOENT');
    expect(code(() => Mapping.file('/', { access: 'read' }))).toMatch(/ENODEV|ERR_OUT_OF_RANGE/);
    writeFileSync(path, '');
    expectRangeError('options.length', () => Mapping.file(path, { access: 'read' }));
    expectRangeError('options.length', () => Mapping.file(path, { access: 'private', length: 1 }));
    expectRangeError('options.offset', () => Mapping.file(path, { access: 'read', offset: 1 }));
    expectTypeError('options.access', () => Reflect.apply(Mapping.file, Mapping, [path, {}]));
    expect([descriptors(path), descriptors('/')]).toEqual(before);
    expect(mapped(path)).toBe(0);
  });
});

// In a child, as it would stand still for ever.
test('a FIFO is refused, and its other end not waited for', async () => {
  const module = new URL('../../dist/mapping/index.js', import.meta.url).href;
  const program = `import(${JSON.stringify(module)}).then(({ Mapping }) =>
    say(outcome(() => Mapping.file(${JSON.stringify(fifo())}, { access: 'read' }))))`;
  expect(await said(program, { timeout: 60_000 })).toEqual(['ERR_OUT_OF_RANGE']);
});

test('Mapping.shared has a descriptor that shows the same bytes, and shrinks with resize', () => {
  const mapping = owned(Mapping.shared('mine', 3 * PAGE));
  mapping.bytes[PAGE] = 5;
  expect(mappingAt(mapping.address)?.path).toMatch(/^\/memfd:mine/);
  expect(readFileSync(`/proc/self/fd/${mapping.fd}`)[PAGE]).toBe(5);
  mapping.resize(PAGE);
  expect(fstatSync(mapping.fd).size).toBe(PAGE);
  expect(owned(Mapping.shared('default')).length).toBe(PAGE);
});

describe('resize', () => {
  const make = {
    anonymous: () => Mapping.anonymous(PAGE),
    shared: () => Mapping.shared('grows', PAGE),
    file: () => Mapping.file(temporary(1).path, { access: 'write' }),
  };

  test.each(['anonymous', 'shared', 'file'] as const)(
    'of %s memory keeps what is there, and detaches views',
    async (kind) => {
      const mapping = owned(make[kind]());
      const { bytes } = mapping;
      bytes[7] = 77;
      mapping.resize(300 * PAGE);
      expect([bytes.length, mapping.bytes.length, mapping.bytes[7]]).toEqual([0, 300 * PAGE, 77]);
      mapping.bytes[299 * PAGE] = 3;
      await mapping.resizeAsync(2 * PAGE);
      expect([mapping.bytes.length, mapping.bytes[7]]).toEqual([2 * PAGE, 77]);
      if (kind === 'file') expect(fstatSync(mapping.fd).size).toBe(300 * PAGE);
    },
  );

  test('never shortens a file, and does not reach beyond one that may not grow', () => {
    const { path } = temporary(8);
    const part = owned(Mapping.file(path, { access: 'write', offset: PAGE, length: PAGE }));
    part.resize(2 * PAGE);
    expect([statSync(path).size, part.bytes[PAGE]]).toEqual([8 * PAGE, 3]);
    const read = owned(Mapping.file(path, { access: 'read' }));
    expectRangeError('options.length', () => read.resize(9 * PAGE));
    expectRangeError('length', () => read.resize(0));
    read.resize(PAGE);
    expect(read.bytes.length).toBe(PAGE);
  });
});

describe('protect, advise and lock', () => {
  test('protect detaches views; a read-only mapping is read by copy, an inaccessible one not at all', async () => {
    const mapping = owned(Mapping.anonymous(PAGE));
    const { bytes } = mapping;
    mapping.protect('read');
    expect([bytes.length, mapping.read(0, 1)[0], code(() => mapping.bytes)]).toEqual([0, 0, 'EACCES']);
    await mapping.protectAsync('none');
    expect(code(() => mapping.read())).toBe('EFAULT');
    mapping.protect('write');
    expect(mapping.bytes.length).toBe(PAGE);
    expectRangeError('protection', () => Reflect.apply(mapping.protect, mapping, ['execute']));
  });

  test('advise, lock and unlock go to the kernel', async () => {
    const mapping = owned(Mapping.anonymous(4 * PAGE, { populate: true }));
    mapping.advise('dontneed', PAGE, PAGE);
    expect(mapping.residency().resident).toBe(3 * PAGE);
    await mapping.adviseAsync('willneed');
    mapping.lock(0, PAGE);
    expect(code(() => mapping.advise('dontneed', 0, PAGE))).toBe('EINVAL'); // locked
    mapping.unlock(0, PAGE);
    await mapping.lockAsync();
    await mapping.unlockAsync();
    expect(code(() => mapping.advise('dontneed', 1, PAGE))).toBe('EINVAL'); // not on a page boundary
    expectRangeError('advice', () => Reflect.apply(mapping.advise, mapping, ['toString']));
  });
});

describe('close', () => {
  test('unmaps at once, detaches views, closes the descriptor, and may be called again', () => {
    const { path } = temporary(1);
    const others = descriptors(path);
    let bytes: Uint8Array = new Uint8Array();
    {
      using mapping = Mapping.file(path, { access: 'write' });
      expect(descriptors(path)).toBe(others + 1);
      bytes = mapping.bytes;
      expect([bytes.length, mapping.closed]).toEqual([PAGE, false]);
    }
    expect([bytes.length, mapped(path), descriptors(path)]).toEqual([0, 0, others]);
  });

  test('makes every other call ERR_MEMPROBE_CLOSED', async () => {
    const mapping = Mapping.anonymous(1);
    mapping.close();
    mapping.close();
    expect([mapping.closed, mapping.faulted]).toEqual([true, false]);
    const calls = [
      () => mapping.bytes,
      () => mapping.read(),
      () => mapping.resize(2),
      () => mapping.handle(),
      () => mapping.flush(),
    ];
    for (const call of calls) expect(code(call)).toBe('ERR_MEMPROBE_CLOSED');
    expect(await rejected(mapping.readAsync())).toMatchObject({ code: 'ERR_MEMPROBE_CLOSED' });
  });

  test('while it is being resized truncates nobody else’s file, whose descriptor may be its old one', async () => {
    const { path } = temporary(3);
    const mapping = Mapping.shared('closing', 2 * PAGE);
    const resized = rejected(mapping.resizeAsync(PAGE));
    mapping.close();
    // Without a pause in which the promise could go on.
    const end = Date.now() + 60_000;
    while (descriptors('/memfd:closing (deleted)') > 0 && Date.now() < end);
    closing(openSync(path, 'r+'));
    expect(await resized).toMatchObject({ code: 'ERR_MEMPROBE_CLOSED' });
    expect(statSync(path).size).toBe(3 * PAGE);
  });

  test('in the middle of a call on the pool lets it end first', async () => {
    const mapping = Mapping.shared('pool', 32 << 20);
    const release = holdPool();
    const reading = mapping.readAsync();
    mapping.close();
    expect(mapped('/memfd:pool')).toBe(1);
    await release();
    expect((await reading).length).toBe(32 << 20);
    expect(mapped('/memfd:pool')).toBe(0);
  });
});

test('what waits for a call to end can be viewed no more, and goes with that call', async () => {
  const mapping = Mapping.shared('waits', 32 << 20);
  const release = holdPool();
  const reading = mapping.readAsync();
  mapping.close();
  expect(code(() => libc.view(mapping.address, PAGE))).toBe('EACCES');
  await release();
  expect((await reading).length).toBe(32 << 20);
  owned(Mapping.anonymous(PAGE)).write(0, Uint8Array.of(1)); // whoever ends looks at what waits
  expect(mapped('/memfd:waits')).toBe(0);
});

test('its memory is not unmapped, moved or replaced behind its back; protecting and advising it is fine', () => {
  const mapping = owned(Mapping.anonymous(2 * PAGE));
  const { address } = mapping;
  const refused = [
    () => libc.munmap(address, 2 * PAGE),
    () => libc.munmap(address + BigInt(PAGE), PAGE),
    () => libc.mremap(address, 2 * PAGE, 4 * PAGE, libc.MREMAP_MAYMOVE),
    () => libc.mmap(address, PAGE, RW, ANON | libc.MAP_FIXED, -1, 0),
  ];
  for (const call of refused) expect(code(call)).toBe('EBUSY');
  libc.mprotect(address, PAGE, RW);
  libc.madvise(address, PAGE, libc.MADV_DONTNEED);
  mapping.bytes.fill(1);
});

test('bad arguments name the parameter', () => {
  const mapping = owned(Mapping.anonymous(100));
  expectTypeError('bytes', () => Reflect.apply(Mapping.anonymous, Mapping, ['1']));
  expectRangeError('bytes', () => Mapping.anonymous(0));
  expectTypeError('bytes', () => Reflect.apply(mapping.write, mapping, [0, 'text']));
  expectRangeError('offset', () => mapping.read(101));
  expectRangeError('length', () => mapping.read(50, 51));
  expectRangeError('length', () => mapping.write(99, new Uint8Array(2)));
  expectRangeError('offset', () => mapping.view(-1));
  expectTypeError('handle', () => Reflect.apply(Mapping.attach, Mapping, ['text']));
  const { path } = temporary(1);
  expectTypeError('options', () => Reflect.apply(Mapping.file, Mapping, [path]));
  expectTypeError('options.access', () => Reflect.apply(Mapping.file, Mapping, [path, {}]));
  expectTypeError('source', () => Reflect.construct(Mapping, []));
});

test('an option that is none is refused by its name', () => {
  const { path } = temporary(1);
  const misspelt: [name: string, call: () => unknown][] = [
    ['ofset', () => Mapping.file(path, Object({ access: 'read', ofset: 6 }))],
    ['popullate', () => Mapping.anonymous(100, Object({ popullate: true }))],
    ['noreserve', () => Mapping.shared('name', 100, Object({ noreserve: true }))],
    ['traced', () => Mapping.attach(owned(Mapping.anonymous(100)).handle(), Object({ traced: true }))],
  ];
  for (const [name, call] of misspelt) {
    expect(code(call)).toBe('ERR_INVALID_ARG_VALUE');
    expect(call).toThrow(`'options.${name}' is unknown`);
  }
});
