/** The same for the object layer: what owns memory or descriptors, and what parses. Their opposites fail behind that. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mapping } from '../../lib/mapping/index.js';
import { findLeaks, parseMtrace, readMtrace } from '../../lib/mtrace/index.js';
import * as procfs from '../../lib/procfs/index.js';
import type { Case } from './cases.js';

const PAGE = 4096;
const directory = mkdtempSync(join(tmpdir(), 'memprobe-leak-'));
/** A process that vitest ends has no 'exit': its test file calls this. */
export const cleanUp = (): void => rmSync(directory, { recursive: true, force: true });
process.once('exit', cleanUp);
const path = join(directory, 'file');
writeFileSync(path, new Uint8Array(4 * PAGE));
const log = join(directory, 'log');
const LINES = '= Start\n@ node:(main+0x10)[0x401] + 0x1000 0x10\n@ node:(main+0x20)[0x402] - 0x1000\n= End\n';
writeFileSync(log, LINES);

/** Made, used and closed. */
function used(make: () => Mapping, use: (mapping: Mapping) => unknown): Case {
  return () => {
    const mapping = make();
    try {
      use(mapping);
    } finally {
      mapping.close();
    }
  };
}

async function usedAsync(make: () => Mapping, use: (mapping: Mapping) => Promise<unknown>): Promise<void> {
  const mapping = make();
  try {
    await use(mapping);
  } finally {
    mapping.close();
  }
}

const anonymous = (): Mapping => Mapping.anonymous(2 * PAGE);
const file = (): Mapping => Mapping.file(path, { access: 'write' });

export const objects: Readonly<Record<string, Case>> = {
  'Mapping, viewed': used(anonymous, (mapping) => mapping.bytes.fill(1)),
  'Mapping, copied': used(anonymous, (mapping) => mapping.write(0, mapping.read(PAGE, 16))),
  'Mapping, resized': used(anonymous, (mapping) => (mapping.bytes, mapping.resize(4 * PAGE))),
  'Mapping, protected': used(anonymous, (mapping) => (mapping.bytes, mapping.protect('none'))),
  'Mapping, advised': used(anonymous, (mapping) => (mapping.advise('dontneed'), mapping.residency())),
  'Mapping, attached': used(anonymous, (mapping) => Mapping.attach(mapping.handle()).close()),
  'Mapping, closed twice': used(anonymous, (mapping) => mapping.close()),
  'Mapping, used when closed': used(anonymous, (mapping) => (mapping.close(), mapping.bytes)),
  'Mapping, out of range': used(anonymous, (mapping) => mapping.view(PAGE, 2 * PAGE)),
  'Mapping of a file': used(file, (mapping) => (mapping.bytes[0]!++, mapping.flush())),
  'Mapping of a file, private': used(
    () => Mapping.file(path, { access: 'private' }),
    (mapping) => mapping.bytes.fill(1),
  ),
  'Mapping of no file': () => Mapping.file(join(directory, 'none'), { access: 'read' }),
  'Mapping of a file beyond its end': () =>
    Mapping.file(path, { access: 'read', offset: 1, length: 2 ** 40 }),
  'Mapping, shared': used(
    () => Mapping.shared('leak'),
    (mapping) => mapping.resize(3 * PAGE),
  ),
  'Mapping, promised': () =>
    usedAsync(file, async (mapping) => {
      await mapping.writeAsync(0, await mapping.readAsync(0, 16));
      await Promise.all([mapping.flushAsync(), mapping.residencyAsync(), mapping.adviseAsync('willneed')]);
    }),
  'Mapping, promised to resize': () => usedAsync(anonymous, (mapping) => mapping.resizeAsync(4 * PAGE)),
  'Mapping, closed meanwhile': () => {
    const mapping = anonymous();
    const promise = mapping.readAsync();
    mapping.close();
    return promise;
  },
  'parseMaps of what is none': () => procfs.parseMaps(Buffer.from('x')),
};

/** They read all of the process's /proc, or a file by a chain of promises: a hundredth of the rounds. */
export const slow: Readonly<Record<string, Case>> = {
  readMaps: () => procfs.readMaps(),
  readSmaps: () => procfs.readSmaps(),
  readSmapsRollup: () => procfs.readSmapsRollup(),
  readStatm: () => procfs.readStatm(),
  readStatus: () => procfs.readStatus(),
  readTaskStacks: () => procfs.readTaskStacks(),
  readMeminfo: () => procfs.readMeminfo(),
  'readMaps of no process': () => procfs.readMaps({ pid: 2 ** 22 + 1 }),
  'parseMtrace and findLeaks': async () => findLeaks(await parseMtrace(Buffer.from(LINES))),
  'parseMtrace of what is no log': () => parseMtrace('no log\n'),
  readMtrace: () => readMtrace(log),
  'readMtrace of no file': () => readMtrace(join(directory, 'none')),
};
