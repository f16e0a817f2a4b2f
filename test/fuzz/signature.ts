/** Parameters from a signature of the tables: '(addr: Address, length: number, flags?: number): void'. */
export interface Parameter {
  readonly name: string;
  readonly type: string;
}

/** Between the outermost parentheses, split at the outermost commas. */
function split(signature: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of signature.slice(signature.indexOf('(') + 1)) {
    if (character === ')' && depth === 0) break;
    if ('([{'.includes(character)) depth++;
    if (')]}'.includes(character)) depth--;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

export function parametersOf(signature: string): Parameter[] {
  return split(signature).map((part) => {
    const [, name = '', type = ''] = /^(\w+)\??: (.*)$/s.exec(part) ?? [];
    return { name, type };
  });
}
