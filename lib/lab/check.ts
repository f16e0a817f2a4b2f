/** mcheck: marks around every block, and who has broken them. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Address } from '../address.js';
import { free } from '../libc/malloc.js';
import { MCHECK_OK, mcheck_check_all, mcheckStatus, mprobe } from '../libc/mcheck.js';
import { peek, poke } from '../libc/memory.js';
import { mallocDebugEnvironment } from '../malloc_debug.js';
import { poke as pokeAnywhere } from '../unsafe.js';
import type { Bench, Lab } from './bench.js';
import { LabError } from './errors.js';
import { xmalloc } from './idioms.js';
import { hex } from './words.js';

const SIZE = 24;
const WORD = 8n;
const SPOILT = Uint8Array.of(0xff);
const OVERRUN = fileURLToPath(new URL('./overrun.js', import.meta.url));

export const checkLab: Lab = {
  name: 'check',
  summary: 'mcheck: one byte written past the end of a block, found',
  environment: (env) => mallocDebugEnvironment({ env, mcheck: true }),
  run(bench) {
    const block = xmalloc(SIZE);
    if (mprobe(block) !== MCHECK_OK)
      throw new LabError(`mcheck is not on here: ${mcheckStatus(mprobe(block))}`);
    overrun(bench, block);
    underrun(bench, block);
    free(block);
    end(bench);
  },
};

function overrun(bench: Bench, block: Address): void {
  const past = block + BigInt(SIZE);
  bench.section('One byte too many');
  bench.note('whole', 'p = malloc(24); mprobe(p)');
  probe(bench, block);
  bench.say(
    `p is ${hex(block)}. mcheck has put a header before p, whose last word is a magic number made of p's own address, and a ` +
      "byte 0xd7 behind its 24 bytes. (It was preloaded: it has to be on before a program's first block. 'memprobe run " +
      "--malloc-debug --mcheck' does it for yours.)",
  );
  picture(bench, block);
  bench.refused('guarded', 'p[24] = 0xff, by poke of memprobe/libc', () => poke(past, SPOILT));
  bench.say('So here it is done by memprobe/unsafe, as C would:');
  spoil(bench, 'overrun', 'p[24] = 0xff', past, () => {
    bench.say('The page may be written, so neither the kernel nor the processor minds. mprobe(p) does:');
    probe(bench, block);
    picture(bench, block);
    const bad = mcheck_check_all();
    bench.note('all', 'mcheck_check_all()');
    bench.say(`Bad among all blocks of this process: ${bad.map(({ block: at }) => hex(at)).join(', ')}.`);
    bench.record({ bad: bad.length, found: hex(bad[0]?.block ?? 0n), block: hex(block) });
  });
  bench.shows(
    'An overrun harms whatever lies behind, and shows there, later. The mark behind each block tells whose it was.',
  );
}

function underrun(bench: Bench, block: Address): void {
  bench.section('One byte too early');
  spoil(bench, 'underrun', 'p[-1] = 0xff', block - 1n, () => {
    bench.say('mprobe(p) says:');
    probe(bench, block);
    picture(bench, block);
  });
  bench.note('repaired', 'p[-1] as it was; mprobe(p)');
  probe(bench, block);
  bench.shows('MCHECK_HEAD and MCHECK_TAIL say on which side of the block to look for the culprit.');
}

/** In a program that does not ask, free() is who finds it. */
function end(bench: Bench): void {
  bench.section('free() finds it, too');
  const { signal, stderr } = spawnSync(process.execPath, [OVERRUN], {
    encoding: 'utf8',
    cwd: bench.directory,
  });
  const said = stderr.split('\n').find((line) => line.includes('mcheck')) ?? '';
  bench.note('abort', 'in another process: p = malloc(24); p[24] = 0xff; free(p)');
  bench.say(`It ended by ${signal ?? 'nothing'}, and said:`, said.replace(/\S*\/(?=[^/]*\[)/, ''));
  bench.record({ signal: signal ?? '', said });
  bench.shows(
    "Under mcheck a broken block ends the program where it is freed, and not in someone else's code.",
  );
}

function probe(bench: Bench, block: Address): void {
  const status = mcheckStatus(mprobe(block));
  bench.say(`${status}.`);
  bench.record({ status: status.replace(/:.*/, '') });
}

/** The marks around the block. */
function picture(bench: Bench, block: Address): void {
  const bytes = (at: Address, length: number) => Array.from(peek(at, length), byteText).join(' ');
  const [head, tail] = [bytes(block - WORD, Number(WORD)), bytes(block + BigInt(SIZE), 1)];
  bench.table(
    ['bytes', ''],
    [
      ['p[-8] to p[-1]', head],
      ['p[24]', tail],
    ],
  );
  bench.record({ head, tail });
}

function byteText(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** Writes over a byte for the time of `then`: a broken block can't be freed. */
function spoil(bench: Bench, id: string, code: string, address: Address, then: () => void): void {
  const before = peek(address, 1);
  bench.step(id, code, () => pokeAnywhere(address, SPOILT));
  then();
  pokeAnywhere(address, before);
}
