/** Names and source lines for call sites, from the objects that the log names. */
import { stat } from 'node:fs/promises';
import type { LeakReport, LeakSite } from './leaks.js';
import { type ObjectOptions, Objects, type OpenObject, unreadable } from './objects.js';
import { parseSite, type SitePlace } from './place.js';
import { demangle } from './tools.js';

export interface SymbolizeOptions extends ObjectOptions {
  /** When the log was written: an object that is newer may not be the one that ran. */
  written?: Date;
  /** Symbolize only the first so many sites. */
  top?: number;
  /** Called with each object before it is looked into. */
  progress?: (object: string) => void;
}

/**
 * Adds `symbol` and `source` to the sites of a report, as far as they can be had: functions from the log and the objects'
 * symbol tables, lines from debug information through one run of addr2line for each object. Never throws; what is missing
 * is said in `notes`.
 */
export async function symbolize(report: LeakReport, options: SymbolizeOptions = {}): Promise<LeakReport> {
  const symbolizer = new Symbolizer(options);
  try {
    return await symbolizer.symbolize(report, options);
  } finally {
    symbolizer.close();
  }
}

/** `symbolize` for a log that is read meanwhile: most of its time goes to what can be done before the end is known. */
export class Symbolizer {
  readonly #objects: Objects;

  constructor(options: ObjectOptions) {
    this.#objects = new Objects(options);
  }

  /** Says that these sites may be in the report. */
  expect(sites: readonly string[]): void {
    for (const site of sites) {
      const place = parseSite(site);
      if (place) this.#objects.expect(place.object ?? '');
    }
  }

  async symbolize(report: LeakReport, options: SymbolizeOptions): Promise<LeakReport> {
    const notes = new Set(report.notes);
    const sites = report.sites.map((site) => ({ ...site }));
    const groups = groupByObject(sites.slice(0, options.top ?? sites.length));
    const complaints = await nameGroups([...groups], this.#objects, options);
    for (const note of complaints) if (note !== undefined) notes.add(note);
    await demangleSites(sites, options.signal);
    return { ...report, sites: sites.map(inOrder), notes: [...notes] };
  }

  close(): void {
    this.#objects.close();
  }
}

const AT_ONCE = 4;

interface Member {
  site: LeakSite;
  place: SitePlace;
}

function groupByObject(sites: LeakSite[]): Map<string, Member[]> {
  const groups = new Map<string, Member[]>();
  for (const site of sites) {
    const place = parseSite(site.site);
    if (place?.symbol !== undefined) site.symbol = place.symbol;
    if (place) groups.set(place.object ?? '', [...(groups.get(place.object ?? '') ?? []), { site, place }]);
  }
  return groups;
}

/** Some at a time: addr2line takes a processor of its own. What to say of each where it does not work. */
async function nameGroups(
  groups: readonly [object: string, members: Member[]][],
  objects: Objects,
  options: SymbolizeOptions,
): Promise<(string | undefined)[]> {
  const notes: (string | undefined)[] = [];
  const queue = groups.entries();
  const work = async (): Promise<void> => {
    for (const [i, [object, members]] of queue) {
      if (options.signal?.aborted) return;
      options.progress?.(object);
      notes[i] = await nameMembers(object, members, objects, options);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return notes;
}

/** What to say where it does not work. */
async function nameMembers(
  name: string,
  members: Member[],
  objects: Objects,
  { written, signal }: SymbolizeOptions,
): Promise<string | undefined> {
  const object = await objects.get(name);
  if (object === undefined || typeof object === 'string') return object;
  try {
    const complaint = await nameFrom(object, members, signal);
    return complaint ?? (await newerThan(object.path, written));
  } catch (error) {
    return unreadable(object.path, error);
  }
}

async function nameFrom(
  { elf, lines }: OpenObject,
  members: Member[],
  signal?: AbortSignal,
): Promise<string | undefined> {
  // A return address is behind its call, which may have been the last of its line, or of its function.
  const addressOf = ({ address, object }: SitePlace) => address - 1 + (object === undefined ? 0 : elf.base);
  const addresses = members.map(({ place }) => addressOf(place));
  const functions = await elf.functionsAt(addresses);
  members.forEach(({ site }, i) => {
    const name = functions.get(addresses[i] ?? -1);
    if (site.symbol === undefined && name !== undefined) site.symbol = name;
  });
  if (!lines) return undefined;
  const places = await lines.placesOf(addresses);
  if (!places && signal?.aborted) return undefined;
  if (!places) return 'no source lines: addr2line is missing or failed (apt-get install binutils)';
  members.forEach(({ site }, i) => {
    const place = places[i];
    if (!place) return;
    site.source = place.source;
    if (site.symbol === undefined && place.function !== '??') site.symbol = place.function;
  });
  return undefined;
}

async function demangleSites(sites: LeakSite[], signal?: AbortSignal): Promise<void> {
  const named = sites.filter(({ symbol }) => symbol !== undefined);
  const names = await demangle(
    named.map(({ symbol }) => symbol ?? ''),
    signal,
  );
  named.forEach((site, i) => (site.symbol = names[i] ?? ''));
}

async function newerThan(path: string, written: Date | undefined): Promise<string | undefined> {
  if (written === undefined || (await stat(path)).mtime <= written) return undefined;
  return `${path} is newer than the log: names and lines from there may be wrong`;
}

/** The documented order of the fields. */
function inOrder({ site, symbol, source, ...rest }: LeakSite): LeakSite {
  return { site, ...(symbol !== undefined && { symbol }), ...(source !== undefined && { source }), ...rest };
}
