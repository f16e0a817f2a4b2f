import { describe, expect, test } from 'vitest';
import { bar, formatBytes, formatShare, shorten, wrap } from '../../lib/format.js';
import { attribute, diff, render, renderDiff } from '../../lib/explain/index.js';
import { CAPTURED, readCaptured } from './captured.js';

const explanation = attribute(readCaptured('demo-node20'));

describe.each(CAPTURED)('the text of %s', (name) => {
  const text = render(attribute(readCaptured(name)));

  test('fits a screen of 24 lines and 80 columns, commands to be copied aside', () => {
    const lines = text.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(24);
    for (const line of lines) if (!line.includes('$ ')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test('ends in a newline and holds no escape sequence', () => {
    expect(text.endsWith('\n')).toBe(true);
    expect(text).not.toContain('\x1b');
  });
});

test('the answer comes first', () => {
  const [, answer, more] = render(explanation).split('\n');
  expect(`${answer} ${more}`).toContain('is free memory that glibc keeps');
});

test('the table is ranked', () => {
  const shares = [...render(explanation).matchAll(/ (\d+)% {2}/g)].map(([, share]) => Number(share));
  expect(shares.length).toBeGreaterThan(3);
  expect(shares).toEqual([...shares].sort((a, b) => b - a));
});

test('what is unexplained is never hidden among the smaller ones', () => {
  for (const columns of [60, 80, 120]) expect(render(explanation, { columns })).toContain('unexplained');
});

test('colour is there when asked for', () => {
  expect(render(explanation, { color: true })).toContain('\x1b[');
});

test('verbose shows where each figure comes from, and as many parts as asked for', () => {
  const text = render(explanation, { verbose: true, top: 2 });
  for (const { bytes, source } of explanation.categories) {
    if (bytes > 0) expect(text.replace(/\s+/g, ' ')).toContain(source.replace(/\s+/g, ' '));
  }
  expect(text).toContain('more  (--top)');
});

test('a trim that gave nothing back says so, and whose growth that is', () => {
  const trim = { before: 43 * 2 ** 20, after: 45 * 2 ** 20, milliseconds: 3.1 };
  const text = render({ ...explanation, trim }).replace(/\s+/g, ' ');
  expect(text).toContain(
    'nothing to give back (in 3.1 ms), and making the call took resident memory from 43.0 MiB',
  );
  expect(text).not.toContain('gave back 0 B');
});

test('a trim is told with its bytes and milliseconds', () => {
  const trim = {
    before: 400 * 2 ** 20,
    after: 250 * 2 ** 20,
    milliseconds: 31.4,
  };
  const text = render({ ...explanation, trim });
  expect(text).toContain('malloc_trim gave back 150 MiB in 31.4 ms');
});

test('after a trim the table is said to be from before it, and only then', () => {
  const trim = { before: 285 * 2 ** 20, after: 59.3 * 2 ** 20, milliseconds: 20 };
  const lines = render({ ...explanation, trim })
    .trimEnd()
    .split('\n');
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(lines[lines.indexOf('before the trim:') + 1]).toMatch(/^malloc: free, kept by glibc /);
  expect(render(explanation)).not.toContain('before the trim');
});

test('long advice never pushes the table off the screen', () => {
  const remedies = ['a', 'b'].map((id) => ({ id, text: 'many words '.repeat(40), command: 'do it' }));
  const lines = render({ ...explanation, remedies })
    .trimEnd()
    .split('\n');
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(lines.join('\n')).toContain('1 more with --verbose');
});

test('sizes have three digits and a unit', () => {
  const sizes = [0, 1, 999, 1023, 1024, 1536, 1_048_576, 1.4 * 2 ** 30, 5e14].map(formatBytes);
  expect(sizes).toEqual([
    '0 B',
    '1 B',
    '999 B',
    '1.0 KiB',
    '1.0 KiB',
    '1.5 KiB',
    '1.0 MiB',
    '1.4 GiB',
    '455 TiB',
  ]);
  expect(formatBytes(-2048)).toBe('-2.0 KiB');
});

test('a small share is not nothing, and nothing is', () => {
  expect([formatShare(1, 1000), formatShare(0, 10), formatShare(1, 3)]).toEqual(['<1%', '0%', '33%']);
});

test('a bar is as long as its fraction, and never empty for something', () => {
  expect(bar(1, 10)).toBe('█'.repeat(10));
  expect(bar(0.5, 10)).toBe('█'.repeat(5));
  expect(bar(0.0001, 10)).toBe('▏');
  expect(bar(0, 10)).toBe('');
});

test('a long path loses its middle', () => {
  expect(shorten('/a/very/long/path/libx.so', 12)).toHaveLength(12);
  expect(shorten('/a/very/long/path/libx.so', 12).endsWith('libx.so')).toBe(true);
});

test('text is broken at spaces, under its lead', () => {
  expect(wrap('one two three', 9, '- ')).toEqual(['- one two', '  three']);
});

describe('diff', () => {
  const later = attribute({ ...readCaptured('demo-node20'), isolates: [] });

  test('names what changed most', () => {
    const [first] = diff(explanation, later);
    expect(['buffers', 'malloc.live']).toContain(first?.id);
    expect(first?.before).not.toBe(first?.after);
  });

  test('of an explanation with itself shows no change', () => {
    expect(diff(explanation, explanation).every(({ before, after }) => before === after)).toBe(true);
    expect(renderDiff(explanation, explanation)).toContain('(0 B)');
  });
});
