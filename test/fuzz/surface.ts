/** Every safe export there is, read from the modules: a new one is fuzzed without being named here. */
import * as allocator from '../../lib/allocator/index.js';
import * as heap from '../../lib/heap/index.js';
import * as main from '../../lib/index.js';
import * as libc from '../../lib/libc/index.js';
import * as libnuma from '../../lib/libnuma/index.js';
import * as mtrace from '../../lib/mtrace/index.js';
import { loadLibnuma, native } from '../../lib/native.js';
import * as procfs from '../../lib/procfs/index.js';
import * as promises from '../../lib/promises.js';
import { type Parameter, parametersOf } from './signature.js';

export interface Target {
  /** 'libc.mmap', 'Bitmask.prototype.equals'. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** How often, against the others. */
  readonly weight: number;
  /** `receiver`: what a method is called on. */
  call(args: readonly unknown[], receiver: unknown): unknown;
  /** Makes it a method of such objects. */
  readonly of?: Function;
}

/** Those that take milliseconds: they walk the whole address space, or start processes. */
const SLOW =
  /^main\.(explain|collect|doctor|attribute|render|diff|mallocDebug|numa)|^procfs\.read|^mtrace\.|malloc_info|malloc_stats|mcheck/;

const signatures = new Map(
  [...native.describe(), ...loadLibnuma().describe()].map(({ name, signature }) => [name, signature]),
);

const isClass = (value: Function): boolean => Object.hasOwn(value, 'prototype') && /^[A-Z]/.test(value.name);

/** Pointers of a heap in a buffer are numbers. */
const inBuffer = ({ name, type }: Parameter): Parameter => ({
  name,
  type: type.replace('Address', 'Offset'),
});

/** Where no table says, as many as it takes and one more. */
function parameters(path: string, name: string, value: Function): readonly Parameter[] {
  const found = parametersOf(signatures.get(name) ?? '');
  if (signatures.has(name)) return /TsAllocator|Heap/.test(path) ? found.map(inBuffer) : found;
  return Array.from({ length: Math.min(value.length + 1, 4) }, (_, i) => ({
    name: `argument${i}`,
    type: 'unknown',
  }));
}

function functionTarget(path: string, name: string, value: Function): Target {
  const full = `${path}.${name}`;
  return {
    name: full,
    parameters: parameters(path, name, value),
    weight: SLOW.test(full) ? 1 : path === 'promises' ? 8 : 40,
    call: (args) => (isClass(value) ? Reflect.construct(value, args) : Reflect.apply(value, undefined, args)),
  };
}

function* propertiesOf(value: object): Generator<[string, PropertyDescriptor]> {
  const found = Object.getOwnPropertyDescriptors(value);
  for (const [name, descriptor] of Object.entries(found))
    if (name !== 'constructor') yield [name, descriptor];
}

/** Static functions, methods and accessors. */
function* membersOf(path: string, owner: Function): Generator<Target> {
  for (const [name, { value }] of propertiesOf(owner)) {
    if (typeof value === 'function')
      yield {
        ...functionTarget(`${path}.${owner.name}`, name, value),
        call: (args) => Reflect.apply(value, owner, args),
      };
  }
  for (const [name, { value, get, set }] of propertiesOf(Object(owner.prototype))) {
    for (const member of [value, get, set]) {
      if (typeof member !== 'function') continue;
      yield {
        ...functionTarget(`${path}.${owner.name}.prototype`, name, member),
        call: (args, receiver) => Reflect.apply(member, receiver, args),
        of: owner,
      };
    }
  }
}

function* targetsOf(path: string, module: object): Generator<Target> {
  for (const [name, value] of Object.entries(module)) {
    if (typeof value === 'function') {
      yield functionTarget(path, name, value);
      if (isClass(value) && !(value.prototype instanceof Error)) yield* membersOf(path, value);
    } else if (typeof value === 'object' && value?.[Symbol.toStringTag] === 'Module') {
      yield* targetsOf(`${path}.${name}`, value);
    }
  }
}

export const targets: readonly Target[] = Object.entries({
  libc,
  promises,
  libnuma,
  procfs,
  mtrace,
  allocator,
  heap,
  main,
}).flatMap(([path, module]) => [...targetsOf(path, module)]);
