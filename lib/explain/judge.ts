/** The verdict: which rule of rules.ts applies, and what to do. Pure. */
import { bytesOf, type Facts } from './facts.js';
import { formatBytes, formatShare } from '../format.js';
import { RULES, type Rule } from './rules.js';
import type { Category, Remedy, Verdict } from './schema.js';

export interface Judgement {
  verdict: Verdict;
  remedies: Remedy[];
}

/** The biggest category that is out of proportion makes the verdict; the others that are add their remedies. */
export function judge(facts: Facts): Judgement {
  const size = (rule: Rule) => bytesOf(facts, rule.category);
  const applying = RULES.filter((rule) => size(rule) >= rule.floor && size(rule) >= rule.share * facts.rss);
  applying.sort((a, b) => size(b) - size(a));
  const [first] = applying;
  if (!first) return { verdict: healthy(facts), remedies: [] };
  const summary = `${amount(facts, size(first))} ${first.summary(facts)}`;
  const verdict = { id: first.id, summary, evidence: first.evidence(facts) };
  const remedies = new Map(
    applying.flatMap((rule) => rule.remedies(facts)).map((remedy) => [remedy.id, remedy]),
  );
  return { verdict, remedies: [...remedies.values()] };
}

function amount({ rss }: Facts, bytes: number): string {
  return `${formatBytes(bytes)} of ${formatBytes(rss)} resident (${formatShare(bytes, rss)})`;
}

/** A process below this is small whatever it consists of: a category that is most of it lies below its floor. */
const SMALL = 256 * 2 ** 20;

function healthy(facts: Facts): Verdict {
  const biggest = [...facts.categories].sort((a, b) => b.bytes - a.bytes).slice(0, 3);
  const evidence = biggest.map(
    ({ label, bytes }) => `${label}: ${formatBytes(bytes)} (${formatShare(bytes, facts.rss)})`,
  );
  const [most] = biggest;
  if (most?.id === 'memprobe') evidence.splice(1, 0, mapped(most));
  return { id: 'healthy', summary: proportion(facts, most), evidence };
}

/** A category that is most of the process is no disproportion where there is no rule against it, or too little of it. */
function proportion({ rss }: Facts, most: Category | undefined): string {
  const size = `${formatBytes(rss)} resident`;
  if (!most || most.bytes < rss / 2) return `${size}, and nothing in it is out of proportion.`;
  const told = `${size}, most of it ${most.label.replace(':', '')} (${formatShare(most.bytes, rss)})`;
  return rss < SMALL ? `Small: ${told}.` : `${told}; nothing says that this is too much.`;
}

/** The program mapped it knowingly: what it needs is to tell one mapping from the other. */
function mapped({ parts = [] }: Category): string {
  const biggest = parts.slice(0, 3).map(({ label, bytes }) => `${formatBytes(bytes)} ${label}`);
  const more = parts.length > 3 ? ', and more' : '';
  return `of these ${biggest.join(', ')}${more}`;
}
