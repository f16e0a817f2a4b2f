/** Adds up bytes by category and part. Whatever enters leaves: the categories' sum is the sum of all entries. */
import { CATEGORIES, type Category, type CategoryId, type FilePages, type Part } from './schema.js';

/** More parts than this are of no use to anybody; the rest becomes one line. */
const MOST_PARTS = 100;

interface Account {
  bytes: number;
  swap: number;
  parts: Map<string, number>;
  sources: Set<string>;
  pages?: FilePages;
}

export class Ledger {
  readonly #accounts = new Map<CategoryId, Account>(
    CATEGORIES.map(([id]) => [id, { bytes: 0, swap: 0, parts: new Map(), sources: new Set() }]),
  );

  /** Books `bytes` under a part of a category, saying where the figure comes from. */
  add(id: CategoryId, part: string, bytes: number, source: string): void {
    if (bytes <= 0) return;
    const account = this.#of(id);
    account.bytes += bytes;
    account.parts.set(part, (account.parts.get(part) ?? 0) + bytes);
    account.sources.add(source);
  }

  /** Books what it takes to get back the pages of a file that were booked with `add`. */
  addPages(id: CategoryId, pages: FilePages): void {
    const sums = (this.#of(id).pages ??= { clean: 0, dirty: 0, copied: 0 });
    sums.clean += pages.clean;
    sums.dirty += pages.dirty;
    sums.copied += pages.copied;
  }

  addSwap(id: CategoryId, bytes: number): void {
    this.#of(id).swap += bytes;
  }

  categories(): Category[] {
    return CATEGORIES.map(([id, label]) => toCategory(id, label, this.#of(id)));
  }

  #of(id: CategoryId): Account {
    const account = this.#accounts.get(id);
    if (account === undefined) throw new Error(`No such category: ${id}`);
    return account;
  }
}

function toCategory(id: CategoryId, label: string, account: Account): Category {
  const source = [...account.sources].join('; ') || 'none found';
  const category: Category = { id, label, bytes: account.bytes, source };
  if (account.swap > 0) category.swap = account.swap;
  if (account.pages) category.pages = account.pages;
  const parts = rank([...account.parts].map(([label, bytes]) => ({ label, bytes })));
  if (parts.length > 0) category.parts = parts;
  return category;
}

function rank(parts: Part[]): Part[] {
  parts.sort((a, b) => b.bytes - a.bytes);
  if (parts.length <= MOST_PARTS) return parts;
  const rest = parts.splice(MOST_PARTS - 1);
  parts.push({ label: `${rest.length} others`, bytes: rest.reduce((sum, part) => sum + part.bytes, 0) });
  return parts;
}
