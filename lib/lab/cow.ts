/** Copy on write: a private mapping of a file, and the way back to the file. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MADV_DONTNEED, madvise } from '../libc/madvise.js';
import { MAP_PRIVATE, mmap, munmap } from '../libc/mmap.js';
import { anonymousIn, type Bench, type Lab } from './bench.js';
import { bytesAt, pages, READ_WRITE, readEach } from './words.js';

const FILE = 'file';
const OLD = 'A';
const NEW = 'B';

export const cow: Lab = {
  name: 'cow',
  summary: "copy on write: a private mapping's own pages, and how to drop them",
  run(bench) {
    const path = join(bench.directory, 'letters');
    const length = 4 * bench.page;
    writeFileSync(path, OLD.repeat(length));
    const fd = openSync(path, 'r');
    const address = mmap(0n, length, READ_WRITE, MAP_PRIVATE, fd, 0);
    closeSync(fd);
    bench.watch(address, length, FILE);
    const bytes = bytesAt(address, length);
    const letter = () => String.fromCharCode(bytes[0] ?? 0);
    write(bench, bytes, { letter, path });
    drop(bench, address, letter);
    munmap(address, length);
  },
};

function write(bench: Bench, bytes: Uint8Array, file: { letter: () => string; path: string }): void {
  bench.section('The first store makes a copy');
  bench.step('read', `m = mmap(a file of four pages of '${OLD}', MAP_PRIVATE); read each page`, () =>
    readEach(bytes, bench.page),
  );
  bench.say("All four are resident, and they are the page cache's own: no memory of this process.");
  bench.record({ mapped: file.letter() });

  const { change } = bench.step('write', `m[0] = '${NEW}'`, () => {
    bytes[0] = NEW.charCodeAt(0);
  });
  const copies = anonymousIn(change, FILE);
  const inFile = readFileSync(file.path, 'latin1').charAt(0);
  bench.say(
    `As much is resident as before, but ${pages(copies)} of it now belongs to no file: a copy in place of the ` +
      `file's page. m[0] is '${file.letter()}', the file still begins with '${inFile}'.`,
  );
  bench.record({ mapped: file.letter(), inFile, copies });
  bench.shows(
    'MAP_PRIVATE shares the file until a page is written; then that page, and no other, is copied.',
  );
}

function drop(bench: Bench, address: bigint, letter: () => string): void {
  bench.section('MADV_DONTNEED drops the copy');
  const { change } = bench.step('dontneed', 'madvise(m, page, MADV_DONTNEED)', () =>
    madvise(address, bench.page, MADV_DONTNEED),
  );
  const dropped = -anonymousIn(change, FILE);
  bench.say(`The ${pages(dropped)} without a file went.`);
  bench.record({ dropped });
  const { value } = bench.step('again', 'read m[0]', letter);
  bench.say(`It is '${value}' again, read from the file.`);
  bench.record({ mapped: value });
  bench.shows(
    "On a private file mapping MADV_DONTNEED is an undo: what was written is lost, and the file's content is back.",
  );
}
