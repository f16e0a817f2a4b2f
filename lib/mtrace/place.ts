/** Where a call was made, from what mtrace wrote of it. Pure. */

/** A call site, taken apart. */
export interface SitePlace {
  /** As the dynamic linker calls it: a path, or for the program what it was started as; undefined without. */
  object?: string;
  symbol?: string;
  /** The return address, relative to where the object is loaded; absolute without object. */
  address: number;
}

const SITE = /^(?:(.*):)?(?:\((.*)[+-][0-9a-f]+\))?\[0x([0-9a-f]{1,16})\]$/is;

/** Undefined for what is not of mtrace's form. */
export function parseSite(site: string): SitePlace | undefined {
  const [whole, object, symbol, address = ''] = SITE.exec(site) ?? [];
  if (whole === undefined) return undefined;
  return { ...(object && { object }), ...(symbol && { symbol }), address: Number.parseInt(address, 16) };
}
