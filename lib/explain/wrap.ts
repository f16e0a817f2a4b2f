/** Breaks text at spaces; `lead` opens the first line, the others are indented as far. A long word stays whole. */
export function wrap(text: string, columns: number, lead = ''): string[] {
  const indent = ' '.repeat(lead.length);
  const lines: string[] = [];
  let line = lead;
  for (const word of text.split(/\s+/)) {
    const empty = line === lead || line === indent;
    if (!empty && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = indent + word;
    } else {
      line += empty ? word : ` ${word}`;
    }
  }
  return [...lines, line];
}
