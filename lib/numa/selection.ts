/** Nodes and CPUs as numactl's options name them: '0,2-4', 'all', '!1' (all but 1), '+0-1' (the first two allowed). */
import { ascending, formatList, parseList } from './lists.js';

export type Selection = { numbers: number[] } | { problem: string };

/** `allowed`: what may be named, ascending. `nouns` are what they are, for the problem: 'nodes', 'CPUs'. */
export function parseSelection(text: string, allowed: readonly number[], nouns: string): Selection {
  const [, invert, relative, list = ''] = /^(!?)(\+?)(.*)$/s.exec(text.trim()) ?? [];
  // What is relative counts in what is allowed.
  const domain = relative === '+' ? [...allowed.keys()] : allowed;
  const named = list === 'all' ? domain : parseList(list);
  if (named === undefined || list === '') return { problem: `It is no list such as 0,2-4, all, !1 or +0-1.` };
  const absent = named.filter((number) => !domain.includes(number));
  if (absent.length > 0) {
    const there = relative === '+' ? `${domain.length} in number` : formatList(domain);
    return {
      problem: `The ${nouns} that may be used here are ${there}: ${formatList(absent)} is not among them.`,
    };
  }
  const chosen = relative === '+' ? named.flatMap((index) => allowed[index] ?? []) : named;
  const numbers = invert === '!' ? allowed.filter((number) => !chosen.includes(number)) : ascending(chosen);
  return numbers.length > 0 ? { numbers } : { problem: `It leaves no ${nouns}.` };
}
