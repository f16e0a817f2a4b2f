/** What people see. */
import { parseXml } from '@rgrove/parse-xml';
import { describe, expect, test } from 'vitest';
import { htmlOf } from '../../lib/compare/html.js';
import { renderComparison } from '../../lib/compare/render.js';
import { type Compared, comparison, type Measured } from '../../lib/compare/report.js';
import { WORKLOADS } from '../../lib/compare/workloads.js';

function measured(allocator: Measured['allocator'], nanoseconds: number, peak: number): Measured {
  return {
    allocator,
    nanoseconds,
    peak,
    peakOverLive: peak / 1e6,
    resident: peak + 5000,
    faults: { minor: 12_345, major: 1 },
    failed: 0,
    timeline: [peak / 2, peak],
  };
}

function compared(workload: string, changes: Partial<Compared> = {}): Compared {
  return {
    workload,
    calls: 400_000,
    peakLive: 1e6,
    notes: [],
    timeline: { at: [100, 200], live: [5e5, 1e6] },
    operations: 200,
    moment: 150,
    cellBytes: 2000,
    results: [
      measured('typescript', 20, 1.1e6),
      measured('glibc', 10, 1.25e6),
      measured('glibc-called', 80, 1.3e6),
    ],
    ...changes,
  };
}

const plain = { columns: 80, color: false };
const screenOf = (workloads: Compared[], options = {}): string[] =>
  renderComparison(comparison(workloads), { ...plain, ...options })
    .trimEnd()
    .split('\n');

describe('the table', () => {
  const lines = screenOf(WORKLOADS.map((name) => compared(name)));

  test('of all built-in workloads fits a terminal of 80 columns and 24 lines', () => {
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    for (const name of WORKLOADS)
      expect(
        lines.some((line) => line.startsWith(`${name} `)),
        name,
      ).toBe(true);
  });

  test('begins with the verdict, in a sentence', () => {
    expect(lines.join(' ')).toMatch(
      /^memprobe's malloc in TypeScript takes 2\.0 times as long as glibc's, needs 12% less memory, and is 4\.0 times as fast as calling glibc's from JavaScript \(geometric means over 11 workloads\)\./,
    );
  });

  test('keeps large figures apart', () => {
    const large = compared('malloc-simple', {
      results: [
        measured('typescript', 1234.5, 9e8),
        measured('glibc', 2345.6, 9e8),
        measured('glibc-called', 9999.9, 9e8),
      ],
    });
    const [, line = ''] = screenOf([large, large, large, large]).filter((text) =>
      text.startsWith('malloc-simple'),
    );
    expect(line.trim().split(/\s+/).length).toBe(10);
  });

  test('tells nothing of a ratio to next to nothing', () => {
    const tiny = compared('LIFO 16', { peakLive: 128 });
    expect(screenOf([tiny, tiny, tiny, tiny]).find((line) => line.startsWith('LIFO'))).toMatch(/ – +– /);
  });
});

describe('a few workloads', () => {
  test('are told in full, with what a log left open and what had no room', () => {
    const full = { ...measured('typescript', 0, 1e6), nanoseconds: null, failed: 1 };
    const lines = screenOf([compared('app.mt', { notes: ['the last line breaks off'], results: [full] })]);
    expect(lines[0]).toContain('no time to compare');
    expect(lines).toContain('app.mt: 400,000 calls, at most 977 KiB live');
    expect(lines).toContain('  ! the last line breaks off');
    expect(lines).toContain('  ! TypeScript had no room for 1 allocation');
  });

  test('their heaps are drawn to one scale, free and full', () => {
    const picture = [...Array.from({ length: 100 }, () => 1), 0, 0.5, 0];
    const result = { ...measured('typescript', 1, 1e6), picture };
    const lines = screenOf([compared('app.mt', { results: [result] })]);
    expect(lines).toContain(`  ${'█'.repeat(78)}`);
    expect(lines).toContain(`  ${'█'.repeat(22)}·▒·`);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  test('have colours where they are wanted only', () => {
    expect(screenOf([compared('app.mt')]).join('')).not.toContain('\x1b');
    expect(screenOf([compared('app.mt')], { color: true }).join('')).toContain('\x1b');
  });
});

describe('the page', () => {
  const page = htmlOf(comparison([compared('<app> & "co".mt'), compared('larson')]));

  test('needs nothing from elsewhere, and runs nothing', () => {
    expect(page).not.toMatch(/https?:|src=|<script|@import|url\(/);
  });

  test('has a chart for each workload, with a line for each allocator inside its frame', () => {
    const charts = page.match(/<svg[^]*?<\/svg>/g) ?? [];
    expect(charts.length).toBe(2);
    for (const chart of charts) {
      expect(() => parseXml(chart)).not.toThrow();
      const lines = chart.match(/<polyline/g) ?? [];
      expect(lines.length).toBe(3);
      const numbers = [...chart.matchAll(/(-?[\d.]+),(-?[\d.]+)/g)].filter(([text]) => text.includes('.'));
      for (const [, x, y] of numbers) {
        expect(Number(x)).toBeLessThanOrEqual(720);
        expect(Number(y)).toBeGreaterThanOrEqual(0);
        expect(Number(y)).toBeLessThanOrEqual(240);
      }
    }
  });

  test('takes a name for text', () => {
    expect(page).toContain('<h2>&lt;app&gt; &amp; &quot;co&quot;.mt</h2>');
    expect(page).not.toContain('<app>');
  });
});
