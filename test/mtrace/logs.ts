/** Logs of all sorts, most of them damaged, and what the readers make of them. */
import fc from 'fast-check';
import { MtraceError, type Oddity, type ParseOptions, type Trace } from '../../lib/mtrace/index.js';

/** Lines of mtrace, nearly such lines, and rubbish. */
const anyLine = fc.oneof(
  fc.constantFrom('= Start', '= End', '', '@ ', '@ a:[0x115c]', '@ [0x1] + ', '] + 0x1 0x1'),
  fc.string({ unit: 'binary' }),
  fc
    .tuple(
      fc.constantFrom('', '@ a.so:[0x115c] ', '@ b c.so:(f+1)[0x2] ', '@ a.so:[0x115c] b.so:[0x2222] '),
      fc.constantFrom('+', '-', '<', '>', '!', '?'),
      fc.constantFrom('0x1000', '0x2000', '0x3000', '(nil)', '0x', '0xfffffffffffffff0'),
      fc.constantFrom('', ' 0x10', ' 0', ' 0x', '\r'),
    )
    .map(([site, operation, address, size]) => `${site}${operation} ${address}${size}`),
);
const anyStart = fc.constantFrom('', '', '', '= Start\n', '\x1f\x8b', '\x1f\x8b\x08');
export const anyLog = fc
  .tuple(anyStart, fc.array(anyLine, { maxLength: 60 }))
  .map(([start, lines]) => Buffer.concat([Buffer.from(start, 'latin1'), Buffer.from(lines.join('\n'))]));

/** In chunks that end at these places. */
export function* cutAt(whole: Uint8Array, places: readonly number[]): Generator<Uint8Array> {
  const cuts = [...places.map((place) => place % (whole.length + 1)), 0, whole.length].sort((a, b) => a - b);
  for (let i = 1; i < cuts.length; i++) yield whole.subarray(cuts[i - 1], cuts[i]);
}

/** Everything that a reader says; where it throws an error of its own, its words. */
export async function outcome(read: (options: ParseOptions) => Promise<Trace>): Promise<unknown> {
  const odd: Oddity[] = [];
  const named: string[] = [];
  try {
    const { live, ...rest } = await read({
      onOddity: (oddity) => odd.push(oddity),
      onSites: (sites) => named.push(...sites),
    });
    const blocks = [...live].sort((a, b) => a.line - b.line);
    const sites = live.sites().sort((a, b) => a.first - b.first);
    return { ...rest, blocks, sites, bytes: live.bytes, odd, named };
  } catch (error) {
    if (error instanceof MtraceError) return error.message;
    throw error;
  }
}
