/** The process of one contender: takes the stream on standard input, and does what it is asked to over the channel. */
import { readSync } from 'node:fs';
import { needHeapRoom } from '../lab/heap.js';
import type { Contender, Ops, Reach } from './contender.js';
import { Batched, Calls } from './glibc.js';
import type { AllocatorName } from './report.js';
import { TypeScript } from './typescript.js';

export interface Walk {
  /** Operations before the picture, if there is to be one. */
  readonly moment: number;
  readonly picture: boolean;
  /** How many before it, and after it. */
  readonly samples: readonly [number, number];
  readonly cellBytes: number;
  /** Bytes that the heap must be able to grow by. */
  readonly room: number;
}

export type Question = { walk: Walk } | { run: number };

export interface Reached extends Omit<Reach, 'resident'> {
  readonly resident: readonly number[];
  /** How full each cell of the heap was. */
  readonly picture?: readonly number[];
}

export type Answer = { reach: Reached } | { nanoseconds: number } | { error: string; code?: string };

const [name, slots, length] = process.argv.slice(2);

const MAKERS: Record<AllocatorName, (slots: number, ops: Ops) => Contender> = {
  typescript: (slots, ops) => TypeScript.rehearsed(slots, ops),
  glibc: (slots) => new Batched(slots),
  'glibc-called': (slots, ops) => Calls.rehearsed(slots, ops),
};

/** Straight to where they stay: what is freed on the way would be another heap to start with. */
function readOps(bytes: number): Ops {
  const ops = new Int32Array(bytes / Int32Array.BYTES_PER_ELEMENT);
  const into = new Uint8Array(ops.buffer);
  for (let at = 0; at < bytes;) {
    const read = readSync(0, into, at, bytes - at, null);
    if (read === 0) throw new Error('the stream breaks off');
    at += read;
  }
  return ops;
}

async function makeContender(room: number): Promise<Contender> {
  const make = Object.entries(MAKERS).find(([other]) => other === name)?.[1];
  if (make === undefined) throw new Error(`there is no contender ${name}`);
  // A heap that can't grow is another allocator: glibc maps memory instead.
  if (name !== 'typescript') await needHeapRoom(room);
  return make(Number(slots), ops);
}

const ops = readOps(Number(length));
let contender: Contender | undefined;

async function answer(question: Question): Promise<Answer> {
  if ('walk' in question) {
    contender = await makeContender(question.walk.room);
    return { reach: walk(contender, question.walk) };
  }
  if (contender === undefined) throw new Error('it has to walk before it runs');
  const start = process.cpuUsage();
  contender.run(ops, question.run);
  const { user, system } = process.cpuUsage(start);
  return { nanoseconds: (user + system) * 1000 };
}

function walk(on: Contender, { moment, samples, cellBytes, picture }: Walk): Reached {
  on.walk(ops.subarray(0, 2 * moment), samples[0]);
  const cells = picture ? Array.from(on.cells(cellBytes)) : undefined;
  const reach = on.walk(ops.subarray(2 * moment), samples[1]);
  return { ...reach, resident: Array.from(reach.resident), ...(cells && { picture: cells }) };
}

// Ctrl-C goes to all processes of the terminal; the one that started this ends it.
process.on('SIGINT', () => {});
process.on('message', (question: Question) => {
  answer(question)
    .catch((error: unknown): Answer => {
      const { message, code }: NodeJS.ErrnoException =
        error instanceof Error ? error : new Error(String(error));
      return { error: message, ...(code !== undefined && { code }) };
    })
    .then((said) => process.send?.(said));
});
