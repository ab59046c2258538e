/**
 * Names that are not the tool's, and that a gateway takes for it if it compares names loosely: without regard to case,
 * after trimming or Unicode normalisation, or by a part of them.
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
    // Compatibility normalisation (NFKC) makes plain letters of full-width ones.
    fullWidth(first) + tool.slice(1),
    tool.replaceAll('_', '\uff3f'),
    // Decomposition and the removal of marks make a plain letter of this one.
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
