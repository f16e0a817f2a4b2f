/** Lists of numbers as the kernel and numactl write them: '0-3,8'. */

/** Ascending. Undefined where it is no such list; an empty line is an empty list. */
export function parseList(text: string): number[] | undefined {
  const numbers = new Set<number>();
  for (const part of text.trim() === '' ? [] : text.trim().split(',')) {
    const match = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part);
    if (match === null) return undefined;
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    if (last < first || last - first > 65536) return undefined;
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return ascending(numbers);
}

/** '0-3,8'; 'none' where there are none. */
export function formatList(numbers: Iterable<number>): string {
  const parts: [first: number, last: number][] = [];
  for (const number of ascending(numbers)) {
    const part = parts.at(-1);
    if (part !== undefined && number <= part[1] + 1) part[1] = number;
    else parts.push([number, number]);
  }
  const shown = parts.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`));
  return shown.join(',') || 'none';
}

export function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b);
}
