/**
 * Returns names that a gateway mistakes for `tool` if it compares names loosely.
 *
 * Loose comparisons ignore case, trim, normalise Unicode, or compare a part of the name.
 */
export function similarNames(tool: string): string[] {
  const [first = ''] = tool
  return [
    tool.toUpperCase(),
    first.toUpperCase() + tool.slice(1),
    ` ${tool}`,
    `${tool} `,
    `${tool}\n`,
    `\t${tool}`,
    `${tool}\u00a0`,
    `${tool}\u200b`,
    `\ufeff${tool}`,
    `${tool}\0`,
    // Compatibility normalisation (NFKC) turns full-width letters into plain ones.
    fullWidth(first) + tool.slice(1),
    tool.replaceAll('_', '\uff3f'),
    // Decomposition and the removal of marks turn this letter into a plain one.
    `${tool.slice(0, -1)}${tool.slice(-1)}\u0301`,
    tool.replaceAll('_', '-'),
    tool.replaceAll('_', ''),
    `${tool}_all`,
    `my_${tool}`,
    tool.slice(0, -1),
  ].filter((name, index, names) => name !== tool && names.indexOf(name) === index)
}

function fullWidth(letter: string): string {
  const code = letter.charCodeAt(0)
  return code > 0x20 && code < 0x7f ? String.fromCharCode(code + 0xfee0) : letter
}
