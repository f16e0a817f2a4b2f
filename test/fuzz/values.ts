/** Hostile arguments: each a description that makes the value when the call is about to happen, by the parameter's type. */
import fc from 'fast-check';
import { native } from '../../lib/native.js';
import { loadLibnuma } from '../../lib/native.js';
import type { Parameter } from './signature.js';
import type { World } from './world.js';

export interface Value {
  readonly label: string;
  make(world: World): unknown;
}
export type Values = fc.Arbitrary<Value>;

const is = (value: unknown, label = show(value)): Value => ({ label, make: () => value });
const made = (label: string, make: (world: World) => unknown): Value => ({ label, make });
const among = (values: readonly unknown[]): Values =>
  fc.constantFrom(...values.map((value) => (isValue(value) ? value : is(value))));
const isValue = (value: unknown): value is Value =>
  typeof value === 'object' && value !== null && 'make' in value && 'label' in value;

export function show(value: unknown): string {
  if (typeof value === 'bigint') return `0x${value < 0n ? '' : ''}${value.toString(16)}n`;
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Object.is(value, -0)) return '-0';
  return typeof value === 'object' || typeof value === 'function'
    ? Object.prototype.toString.call(value)
    : String(value);
}

// --- numbers ------------------------------------------------------------------------------------------------------

/** Either small enough for the machine, or so large that the kernel refuses outright: see limits in campaign.ts. */
const LENGTHS = [
  0,
  1,
  15,
  16,
  4095,
  4096,
  4097,
  8192,
  12_288,
  65_536,
  131_072,
  2 ** 20,
  2 ** 21,
  2 ** 21 + 1,
  2 ** 23,
  2 ** 46,
  2 ** 47 - 4096,
  2 ** 47,
  2 ** 52,
  Number.MAX_SAFE_INTEGER,
];
const NUMBERS = [
  0,
  -0,
  1,
  2,
  3,
  8,
  -1,
  -4096,
  0.5,
  4096,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  Number.NaN,
  Infinity,
  -Infinity,
  1e300,
];
const BIGINTS = [
  0n,
  1n,
  -1n,
  4095n,
  4096n,
  65_536n,
  2n ** 31n,
  2n ** 47n - 4096n,
  2n ** 47n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 4096n,
  2n ** 64n - 1n,
  2n ** 64n,
  -(2n ** 63n),
  2n ** 200n,
  0xffffffffff600000n,
];

const lengths: Values = fc.oneof(
  { weight: 6, arbitrary: among(LENGTHS) },
  {
    weight: 2,
    arbitrary: fc.nat(23).map((i) => made(`length of piece ${i}`, (world) => world.piece(i).length)),
  },
  { weight: 1, arbitrary: among(NUMBERS) },
);

/** One or more constants with such a beginning, or anything. */
const allConstants: [string, number][] = Object.entries({ ...native.constants, ...loadLibnuma().constants });
function flags(beginning: RegExp): Values {
  const found = allConstants.filter(([name]) => beginning.test(name));
  const one = fc.constantFrom(...found);
  const several = fc
    .array(one, { minLength: 1, maxLength: 3 })
    .map((picked) =>
      is(
        picked.reduce((bits, [, value]) => (bits | value) >>> 0, 0) | 0,
        picked.map(([name]) => name).join('|'),
      ),
    );
  return fc.oneof(
    { weight: 6, arbitrary: one.map(([name, value]) => is(value, name)) },
    { weight: 4, arbitrary: several },
    { weight: 1, arbitrary: among(NUMBERS) },
  );
}

/** Most mappings should come about, so that there is something to work on. */
const mapFlags = fc.oneof(
  { weight: 3, arbitrary: among([0x22, 0x21, 0x4022, 0x8022]) },
  { weight: 2, arbitrary: among([0x32, 0x31, 0x12, 0x11, 0x02, 0x01, 0x100022]) },
  { weight: 2, arbitrary: flags(/^MAP_/) },
);

/** Only its own and such as there are not: other people's processes are not ours to move about. */
const pids = among([
  0,
  -1,
  2 ** 31 - 1,
  2 ** 22 + 1,
  0.5,
  Number.NaN,
  'self',
  made('own pid', () => process.pid),
]);

const fds: Values = fc.oneof(
  fc.nat(7).map((i) => made(`memfd ${i}`, (world) => world.fds.at(i) ?? -1)),
  fc.constant(made('file', (world) => world.file)),
  among([-1, 9999, 2 ** 31, Number.NaN]),
);

// --- addresses ----------------------------------------------------------------------------------------------------

const OFFSETS = [0, 0, 0, 0, 1, 8, 16, 4096, 8192, -16, -4096, 2 ** 21];
const addresses: Values = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(fc.nat(23), fc.constantFrom(...OFFSETS))
      .map(([i, by]) =>
        made(`piece ${i}${by ? ` ${by > 0 ? '+' : ''}${by}` : ''}`, (world) =>
          BigInt.asUintN(64, world.piece(i).address + BigInt(by)),
        ),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.nat(59), fc.constantFrom(0n, 0n, 8n, 4096n))
      .map(([i, by]) =>
        made(`landmark ${i}`, ({ landmarks }) => ([...landmarks.values()][i % landmarks.size] ?? 0n) + by),
      ),
  },
  { weight: 2, arbitrary: among(BIGINTS) },
);

const offsets: Values = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.nat(23), fc.constantFrom(0, 0, 0, 8, -8, 4))
      .map(([i, by]) => made(`offset ${i} +${by}`, (world) => (world.offsets.at(-1 - i) ?? 0) + by)),
  },
  { weight: 2, arbitrary: among(NUMBERS) },
);

// --- objects ------------------------------------------------------------------------------------------------------

function detached(): Uint8Array {
  const bytes = new Uint8Array(4096);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

/** Shrunk under its views, where there are such. */
function shrunk(): Uint8Array {
  const buffer: ArrayBuffer = Reflect.construct(ArrayBuffer, [8192, { maxByteLength: 16_384 }]);
  const bytes = new Uint8Array(buffer, 4096, 4096);
  Reflect.get(buffer, 'resize')?.call(buffer, 16);
  return bytes;
}

const bytes: Values = fc.oneof(
  among([
    made('Uint8Array(0)', () => new Uint8Array()),
    made('Uint8Array(16)', () => new Uint8Array(16).fill(0xa5)),
    made('Uint8Array(8192)', () => new Uint8Array(8192)),
    made('Uint8Array of zeroes', () => new Uint8Array(4096)),
    made('subarray', () => new Uint8Array(8192).subarray(4095)),
    made('Buffer', () => Buffer.from('0-3\n7f00-7fff rw-p 00000000 00:00 0\n= Start\n+ 0x1000 0x10\n')),
    made('detached', detached),
    made('shrunk', shrunk),
    made('shared', () => new Uint8Array(new SharedArrayBuffer(4096))),
    made('BigUint64Array', () => new BigUint64Array(4)),
    made('Int32Array', () => new Int32Array(4)),
    made('DataView', () => new DataView(new ArrayBuffer(64))),
  ]),
  fc
    .nat(7)
    .map((i) =>
      made(`bytes of buffer ${i}`, (world) => new Uint8Array(world.buffers.at(-1 - i) ?? new ArrayBuffer(8))),
    ),
  fc.nat(7).map((i) => made(`buffer ${i}`, (world) => world.buffers.at(-1 - i) ?? new ArrayBuffer(8))),
);

/** Readers of arguments meet these: each pulls a piece away when it is looked at, or throws. */
const ambushes: Values = fc.oneof(
  fc.nat(23).map((i) =>
    made(`array whose getter unmaps piece ${i}`, (world) =>
      Object.defineProperty([0n, 1n], 0, {
        enumerable: true,
        get: () => (world.pullAway(i), world.piece(i).address),
      }),
    ),
  ),
  fc.nat(23).map((i) =>
    made(`iterable that unmaps piece ${i}`, (world) => ({
      *[Symbol.iterator]() {
        yield 0;
        world.pullAway(i);
        yield 0;
      },
    })),
  ),
  fc.nat(23).map((i) =>
    made(`range whose getters unmap piece ${i}`, (world) => [
      [world.piece(i).address, world.piece(i).length],
      {
        get 0() {
          world.pullAway(i);
          return world.piece(i).address;
        },
        get 1() {
          return 4096;
        },
        length: 2,
      },
      Object.defineProperty([0n, 4096], 0, { get: () => (world.pullAway(i), world.piece(i).address) }),
    ]),
  ),
  fc
    .nat(7)
    .map((i) =>
      made(
        `object whose properties move buffer ${i} away`,
        (world) => new Proxy({}, { get: () => (move(world, i), 0) }),
      ),
    ),
  among([
    made('getter that throws', () =>
      Object.defineProperty([], 0, {
        get: () => {
          throw new Error('no');
        },
      }),
    ),
    made('iterable that throws', () => ({
      *[Symbol.iterator]() {
        yield 0;
        throw new Error('no');
      },
    })),
    made('iterator that is none', () => ({ [Symbol.iterator]: () => 1 })),
    made(
      'proxy that throws',
      () =>
        new Proxy([], {
          get: () => {
            throw new Error('no');
          },
        }),
    ),
    made('revoked proxy', () => {
      const { proxy, revoke } = Proxy.revocable([], {});
      revoke();
      return proxy;
    }),
    made('valueOf that throws', () => ({
      valueOf: () => {
        throw new Error('no');
      },
      [Symbol.toPrimitive]: () => 1n,
    })),
  ]),
);

/** To where no one detaches it any more. */
export function move(world: World, index: number): void {
  const buffer = world.buffers.at(-1 - index);
  if (buffer === undefined) return;
  const transfer: unknown = Reflect.get(buffer, 'transfer');
  world.buffers.push(
    typeof transfer === 'function' ? transfer.call(buffer) : structuredClone(buffer, { transfer: [buffer] }),
  );
}

const masks: Values = fc.oneof(
  among([
    null,
    [],
    [0],
    [0, 0],
    [1],
    [63, 64, 65],
    [1023],
    [1024],
    [2 ** 31],
    [-1],
    [0.5],
    ['0'],
    [0n],
    made('Set', () => new Set([0])),
    made('many nodes', () => Array.from({ length: 5000 }, (_, i) => i)),
  ]),
  fc.nat(23).map((i) => made(`object ${i}`, (world) => world.objects.at(-1 - i))),
  ambushes,
);

const addressLists: Values = fc.oneof(
  fc
    .array(addresses, { maxLength: 4 })
    .map((all) =>
      made(`[${all.map(({ label }) => label).join(', ')}]`, (world) => all.map((each) => each.make(world))),
    ),
  fc
    .array(addresses, { maxLength: 4 })
    .map((all) =>
      made(`ranges [${all.map(({ label }) => label).join(', ')}]`, (world) =>
        all.map((each) => [each.make(world), 4096]),
      ),
    ),
  among([
    made('BigUint64Array', () => new BigUint64Array([0n, 4096n, 2n ** 64n - 1n])),
    made('sparse array', () => new Array(5)),
    made('long array', () => new Array(2 ** 20)),
  ]),
  ambushes,
);

const strings: Values = among([
  '',
  '0',
  '0-3,5',
  'all',
  '!0',
  '+0',
  '0-',
  '999999999999',
  'a\0b',
  'ü\ud800',
  '../x',
  'x'.repeat(300),
  '0,'.repeat(5000),
  'log',
  'file',
  '7f00-7fff rw-p 0 0 0',
]);

/** What alloca is given, and other callbacks. A view of alloca's that was moved away must not be kept: see README. */
const functions: Values = among([
  made('function', () => () => 1),
  made('function that throws', () => () => {
    throw new Error('no');
  }),
  made(
    'function that keeps its view',
    (world) => (view: Uint8Array<ArrayBuffer>) => (
      world.buffers.push(...(view?.buffer instanceof ArrayBuffer ? [view.buffer] : [])),
      view
    ),
  ),
  made(
    'function that moves its view',
    () => (view: Uint8Array<ArrayBuffer>) => structuredClone(view, { transfer: [view.buffer] }).length,
  ),
  made('function that unmaps', (world) => () => {
    for (let i = 0; i < 4; i++) world.pullAway(i);
  }),
  made('class', () => class {}),
]);

const options: Values = fc
  .dictionary(
    fc.constantFrom(
      'pid',
      'root',
      'trim',
      'mcheck',
      'trace',
      'env',
      'file',
      'width',
      'color',
      'signal',
      'access',
      'offset',
      'length',
      'prot',
      'flags',
      'populate',
      'name',
      'limit',
      'symbolizer',
      'advice',
      'buffer',
      'memory',
      'grow',
      'alignment',
    ),
    fc.oneof(
      fc.constantFrom<Value>(
        is(true),
        is(false),
        is('/nonexistent'),
        is('r'),
        is('write'),
        is('private'),
        is(''),
        is({}),
        is([]),
        is('\0'),
        is(0),
        is(4096),
        is(1),
        is(Symbol('s')),
        is(80),
        is(8),
        is(16),
        is(65_536),
        made('function', () => (length: number) => new ArrayBuffer(length)),
        made('resizable', () => Reflect.construct(ArrayBuffer, [8192, { maxByteLength: 2 ** 20 }])),
      ),
      fc.nat(7).map((i) => made(`buffer ${i}`, (world) => world.buffers.at(-1 - i))),
      pids,
    ),
    { maxKeys: 3 },
  )
  .map((entries) =>
    made(
      `{ ${Object.entries(entries)
        .map(([key, { label }]) => `${key}: ${label}`)
        .join(', ')} }`,
      (world) => Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, value.make(world)])),
    ),
  );

const wrong: Values = among([
  undefined,
  null,
  true,
  false,
  '',
  '0',
  Symbol('s'),
  {},
  [],
  0,
  -0,
  Number.NaN,
  2 ** 53,
  0n,
  -1n,
  2n ** 64n,
  made('Date', () => new Date(Number.NaN)),
  made('RegExp', () => /x/),
  made('null object', () => Object.create(null)),
  made('boxed bigint', () => Object(1n)),
  made('boxed number', () => Object(4096)),
  made('Map', () => new Map()),
  made('promise', () => Promise.resolve(1)),
  made('worker’s port', () => new MessageChannel().port1.close()),
]);

const objects: Values = fc.nat(23).map((i) => made(`object ${i}`, (world) => world.objects.at(-1 - i)));

/** Anything at all. */
export const anything: Values = fc.oneof(
  { weight: 3, arbitrary: wrong },
  {
    weight: 1,
    arbitrary: fc.oneof(
      among(NUMBERS),
      among(BIGINTS),
      strings,
      bytes,
      masks,
      addresses,
      ambushes,
      functions,
      options,
      objects,
    ),
  },
);

const BY_NAME: Readonly<Record<string, Values>> = {
  pid: pids,
  fd: fds,
  pidfd: fds,
  prot: fc.oneof(
    { weight: 5, arbitrary: among([3, 3, 3, 1, 0, 2]) },
    { weight: 1, arbitrary: flags(/^PROT_/) },
  ),
  advice: flags(/^(POSIX_)?MADV_/),
  param: flags(/^M_/),
  mode: flags(/^MPOL_/),
  options,
};
const FLAGS: Readonly<Record<string, Values>> = {
  mmap: mapFlags,
  mremap: flags(/^MREMAP_/),
  msync: flags(/^MS_/),
  memfd_create: flags(/^MFD_(CLOEXEC|ALLOW|NOEXEC|EXEC)/),
  mlockall: flags(/^MCL_/),
};
const otherFlags = fc.oneof(among([0, 0, 0, 1, 2, 4]), flags(/^(MPOL_|MLOCK_)/));

const BY_TYPE: readonly (readonly [RegExp, Values])[] = [
  [/^(number \| bigint)$/, fc.oneof(lengths, among(BIGINTS))],
  [/Address\[\]|\[Address/, addressLists],
  [/^Address$/, addresses],
  [/^Offset$/, offsets],
  [/NodeMask|Bitmask|Iterable/, masks],
  [/Int32Array/, fc.oneof(masks, among([made('Int32Array', () => new Int32Array(3))]))],
  [/Uint8Array/, bytes],
  [/=>/, functions],
  [/^number$/, lengths],
  [/^string$/, strings],
  [/^object$/, fc.oneof(objects, options)],
];

/** Mostly what the parameter asks for, if hostile; now and then anything. */
export function valuesFor(call: string, { name, type }: Parameter): Values {
  const typed = BY_TYPE.find(([pattern]) => pattern.test(type))?.[1] ?? fc.oneof(options, anything);
  const fitting = name === 'flags' ? (FLAGS[call] ?? otherFlags) : (BY_NAME[name] ?? typed);
  return name === 'pid'
    ? fitting
    : fc.oneof({ weight: 12, arbitrary: fitting }, { weight: 1, arbitrary: anything });
}
