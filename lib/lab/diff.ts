/** What changed between two looks at a process. Pure. */
import type { Look, Mapped } from './look.js';
import type { Change, MapLine } from './report.js';

export function diffLooks(before: Look, after: Look, pageSize: number): Change {
  const pages = (figure: (look: Look) => number) => (figure(after) - figure(before)) / pageSize;
  return {
    maps: diffMaps(before.maps, after.maps, pageSize),
    statm: {
      size: pages(({ statm }) => statm.size),
      resident: pages(({ statm }) => statm.resident),
      shared: pages(({ statm }) => statm.shared),
      data: pages(({ statm }) => statm.data),
    },
    rss: pages(({ rss }) => rss),
    anonymous: pages(({ anonymous }) => anonymous),
    huge: pages(({ huge }) => huge),
    locked: pages(({ locked }) => locked),
    faults: {
      minor: after.faults.minor - before.faults.minor,
      major: after.faults.major - before.faults.major,
    },
  };
}

/** As diff(1) tells it: a mapping that grew is one that went and one that came. Ascending, '-' before '+'. */
export function diffMaps(before: Mapped[], after: Mapped[], pageSize: number): MapLine[] {
  const old = new Map(before.map((mapping) => [identity(mapping), mapping]));
  const kept = new Set<string>();
  const lines: MapLine[] = [];
  for (const mapping of after) {
    const key = identity(mapping);
    const was = old.get(key);
    if (was === undefined) lines.push(line('+', mapping, pageSize));
    else kept.add(key);
    if (was !== undefined && held(was) !== held(mapping)) {
      const { resident, anonymous } = line('-', was, pageSize);
      lines.push({ ...line('~', mapping, pageSize), was: { resident, anonymous } });
    }
  }
  for (const [key, mapping] of old) if (!kept.has(key)) lines.push(line('-', mapping, pageSize));
  return lines.sort(byAddress);
}

function identity({ start, end, perms, path }: Mapped): string {
  return `${start}-${end} ${perms} ${path}`;
}

function held({ resident, anonymous }: Mapped): string {
  return `${resident} ${anonymous}`;
}

function line(sign: MapLine['sign'], mapping: Mapped, pageSize: number): MapLine {
  const { start, end, perms, path, size, resident, anonymous } = mapping;
  const inPages = { pages: size / pageSize, resident: resident / pageSize, anonymous: anonymous / pageSize };
  return { sign, start, end, perms, path, ...inPages };
}

function byAddress(a: MapLine, b: MapLine): number {
  const [x, y] = [BigInt(`0x${a.start}`), BigInt(`0x${b.start}`)];
  if (x !== y) return x < y ? -1 : 1;
  return Number(b.sign === '-') - Number(a.sign === '-');
}
