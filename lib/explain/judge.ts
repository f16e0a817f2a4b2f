/** The verdict: which rule of rules.ts applies, and what to do. Pure. */
import { bytesOf, type Facts } from './facts.js';
import { formatBytes, formatShare } from '../format.js';
import { RULES, type Rule } from './rules.js';
import type { Remedy, Verdict } from './schema.js';

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

function healthy(facts: Facts): Verdict {
  const biggest = [...facts.categories].sort((a, b) => b.bytes - a.bytes).slice(0, 3);
  const evidence = biggest.map(
    ({ label, bytes }) => `${label}: ${formatBytes(bytes)} (${formatShare(bytes, facts.rss)})`,
  );
  const summary = `${formatBytes(facts.rss)} resident, and nothing in it is out of proportion.`;
  return { id: 'healthy', summary, evidence };
}
